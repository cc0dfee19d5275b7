#pragma once

namespace cairn {

// Gives back the pages of programs and libraries that only starting up has used: a process touches some 9 MiB of them
// when libraries initialize themselves, and then a third of it. Whatever is needed again comes from the page cache.
// Only mappings of files that nothing may write to are let go (MADV_DONTNEED), and none of which a page has been
// changed for this process (a relocation, a breakpoint). Does nothing where /proc/self/smaps (proc_pid_smaps(5)) cannot
// be read.
void forget_library_pages();

}  // namespace cairn
