// Threads that share one loop at a time.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace mistralet {

class ThreadPool {
 public:
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls `body(first, last)` over pieces of [0, count), at most `piece` long, on all threads; the caller takes part.
  // Pieces are handed out as threads come free, so a thread that others slow down holds nobody up.
  void run(int64_t count, int64_t piece, const std::function<void(int64_t, int64_t)>& body);

 private:
  void work();
  void take_pieces();

  bool is_forked() const;

  const long process_;  // in a forked child the workers are gone, and the caller does everything
  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::atomic<uint64_t> round_{0};   // counts loops; workers wait for it to change
  std::atomic<int> busy_{0};         // workers that have not finished the current loop
  std::atomic<int64_t> next_{0};
  std::atomic<bool> stop_{false};
  int64_t count_ = 0;
  int64_t piece_ = 1;
  const std::function<void(int64_t, int64_t)>* body_ = nullptr;
};

}  // namespace mistralet
