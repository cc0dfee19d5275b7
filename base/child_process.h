#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"

namespace cairn {

// Bytes as a file of nobody's, at its beginning: what a child reads without a pipe that could block.
Result<UniqueFd> memory_file(std::string_view bytes);

// Waits for a child of this process, and kills it when it takes longer.
//   is_given_up  looked at some times a second; may be null
//   returns      its status as of waitpid(2)
//   fails        kTimeout. kClosed: it was given up
Result<int> wait_for_child(pid_t child, std::chrono::seconds patience, const std::atomic<bool>* is_given_up);

// Runs a command line with /bin/sh. Blocks until it has ended.
//   input        what it reads on standard input
//   is_given_up  looked at some times a second; may be null
//   returns      what it wrote to standard output
//   fails        kTimeout; kClosed: it was given up; kTooLarge: it wrote more than `limit_bytes`; kUnavailable: it
//                could not be started or ended with another status than 0: the sentence has the beginning of what it
//                said on standard error
Result<std::string> run_command(const std::string& command, std::string_view input, size_t limit_bytes,
                                std::chrono::seconds patience, const std::atomic<bool>* is_given_up);

}  // namespace cairn
