list(APPEND auth_sources
  recordings/cluster_keys.cc recordings/derivations.cc recordings/directory_chunk_store.cc recordings/growth_watch.cc recordings/recompressions.cc
  recordings/recording_archive.cc recordings/recording_deletion.cc
  recordings/recording_reconcile.cc recordings/recording_rewrap.cc
  recordings/recording_tree.cc
  recordings/recording_walk.cc recordings/recordings.cc recordings/session_facts.cc recordings/timestamper.cc)
list(APPEND auth_headers
  recordings/chunk_store.h recordings/cluster_keys.h recordings/derivations.h recordings/directory_chunk_store.h recordings/growth_watch.h
  recordings/recompressions.h recordings/recording_tree.h recordings/recording_walk.h recordings/recordings.h recordings/session_facts.h recordings/timestamper.h)
