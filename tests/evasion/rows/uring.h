#pragma once

#include <linux/io_uring.h>

#include "tests/evasion/rows/row.h"

namespace row {

// The smallest io_uring that can do one request at a time, without liburing.
class Ring {
 public:
  explicit Ring(uint32_t flags = 0) {
    io_uring_params params{};
    params.flags = flags;
    params.sq_thread_idle = 2000;
    fd_ = static_cast<int>(::syscall(SYS_io_uring_setup, 8, &params));
    if (fd_ < 0) skip(std::string("io_uring: ") + std::strerror(errno));
    is_polled_ = (flags & IORING_SETUP_SQPOLL) != 0;
    sq_ = map(params.sq_off.array + params.sq_entries * sizeof(uint32_t), IORING_OFF_SQ_RING);
    cq_ = map(params.cq_off.cqes + params.cq_entries * sizeof(io_uring_cqe), IORING_OFF_CQ_RING);
    entries_ = reinterpret_cast<io_uring_sqe*>(map(params.sq_entries * sizeof(io_uring_sqe), IORING_OFF_SQES));
    params_ = params;
  }
  ~Ring() { ::close(fd_); }
  Ring(const Ring&) = delete;

  // Room for direct descriptors.
  void register_files(uint32_t count) {
    io_uring_rsrc_register table{};
    table.nr = count;
    table.flags = IORING_RSRC_REGISTER_SPARSE;
    if (::syscall(SYS_io_uring_register, fd_, IORING_REGISTER_FILES2, &table, sizeof(table)) < 0) die("register files");
  }

  // Submits one request and waits for its result.
  int run(const io_uring_sqe& request) {
    uint32_t* tail = at(sq_, params_.sq_off.tail);
    const uint32_t index = *tail & *at(sq_, params_.sq_off.ring_mask);
    entries_[index] = request;
    at(sq_, params_.sq_off.array)[index] = index;
    __atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
    const uint32_t wake = is_polled_ ? IORING_ENTER_SQ_WAKEUP : 0;
    if (::syscall(SYS_io_uring_enter, fd_, 1, 1, IORING_ENTER_GETEVENTS | wake, nullptr, 0) < 0) die("io_uring_enter");
    uint32_t* head = at(cq_, params_.cq_off.head);
    while (__atomic_load_n(at(cq_, params_.cq_off.tail), __ATOMIC_ACQUIRE) == *head) ::sched_yield();
    auto* results = reinterpret_cast<io_uring_cqe*>(cq_ + params_.cq_off.cqes);
    const int result = results[*head & *at(cq_, params_.cq_off.ring_mask)].res;
    __atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
    return result;
  }

 private:
  char* map(size_t bytes, off_t offset) {
    void* at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd_, offset);
    if (at == MAP_FAILED) die("mmap a ring");
    return static_cast<char*>(at);
  }
  static uint32_t* at(char* ring, uint32_t offset) { return reinterpret_cast<uint32_t*>(ring + offset); }

  int fd_ = -1;
  bool is_polled_ = false;
  char* sq_ = nullptr;
  char* cq_ = nullptr;
  io_uring_sqe* entries_ = nullptr;
  io_uring_params params_{};
};

inline io_uring_sqe open_request(const std::string& path, uint8_t flags = 0, uint32_t slot = 0) {
  io_uring_sqe request{};
  request.opcode = IORING_OP_OPENAT;
  request.flags = flags;
  request.fd = AT_FDCWD;
  request.addr = reinterpret_cast<uintptr_t>(path.c_str());
  request.len = 0644;
  request.open_flags = O_RDONLY;
  request.file_index = slot;
  return request;
}

}  // namespace row
