// jemalloc's defaults keep 13 MiB of an idle agent for a next start that never comes: what is free for a second goes
// back. Read by jemalloc itself, by this name (jemalloc(3), TUNING).
extern "C" const char* malloc_conf;
const char* malloc_conf = "background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:0";
