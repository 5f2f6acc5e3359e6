// What this machine can do at most: bytes read from memory per second, and 8-bit multiply-accumulates per second.
//
// Usage: limits THREADS. Prints one line of JSON, speeds in units of 10^9 per second; a multiply-accumulate counts as two
// operations. Compiled on the spot for the machine it runs on; see limits.py.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

#if defined(__AVX2__) || defined(__AVX512F__)
#include <immintrin.h>
#endif
#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace {

constexpr int64_t kBufferBytes = 1 << 30;  // far more than any cache holds
constexpr int kReadPasses = 12;
constexpr int kMultiplyPasses = 12;
constexpr int64_t kMultipliesPerPass = int64_t{3} << 30;  // per thread: some tens of milliseconds

// Lets threads start together and tells when the last is done.
class Barrier {
 public:
  explicit Barrier(int threads) : threads_(threads) {}
  void wait() {
    const int turn = turn_.load();
    if (arrived_.fetch_add(1) + 1 == threads_) {
      arrived_.store(0);
      turn_.fetch_add(1);
    } else {
      while (turn_.load() == turn) std::this_thread::yield();
    }
  }

 private:
  const int threads_;
  std::atomic<int> arrived_{0};
  std::atomic<int> turn_{0};
};

// Seconds of each pass in which every thread did `work(thread)` once.
std::vector<double> time_passes(int threads, int passes, const std::function<void(int)>& work) {
  std::vector<double> seconds(passes);
  Barrier barrier(threads);
  const auto run = [&](int thread) {
    work(thread);  // not timed: touches the memory, wakes the processor
    for (int pass = 0; pass < passes; ++pass) {
      barrier.wait();
      const auto started = std::chrono::steady_clock::now();
      work(thread);
      barrier.wait();
      if (thread == 0) {
        seconds[pass] = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
      }
    }
  };
  std::vector<std::thread> others;
  for (int thread = 1; thread < threads; ++thread) others.emplace_back(run, thread);
  run(0);
  for (auto& other : others) other.join();
  return seconds;
}

// --- Reading ---------------------------------------------------------------------------------------------------------

#if defined(__AVX512F__)
constexpr int kVectorBytes = 64;
#elif defined(__AVX2__)
constexpr int kVectorBytes = 32;
#else
constexpr int kVectorBytes = 16;
#endif
typedef uint64_t Vector __attribute__((vector_size(kVectorBytes)));

constexpr int64_t kPrefetch = 4096;  // bytes ahead

uint64_t read_all(const char* begin, const char* end) {
  constexpr int kSums = 8;
  Vector sums[kSums] = {};
  for (const char* p = begin; p < end; p += kSums * kVectorBytes) {
    for (int line = 0; line < kSums * kVectorBytes; line += 64) __builtin_prefetch(p + kPrefetch + line);
    const Vector* vectors = reinterpret_cast<const Vector*>(p);
    for (int i = 0; i < kSums; ++i) sums[i] ^= vectors[i];
  }
  for (int i = 1; i < kSums; ++i) sums[0] ^= sums[i];
  return sums[0][0];
}

std::vector<double> read_speeds(int threads) {
  constexpr int64_t kAlignment = 2 << 20;  // a large page
  char* buffer = static_cast<char*>(std::aligned_alloc(kAlignment, kBufferBytes));
  if (buffer == nullptr) {
    std::fprintf(stderr, "no %lld bytes of memory are free\n", static_cast<long long>(kBufferBytes));
    std::exit(1);
  }
#if defined(__linux__)
  madvise(buffer, kBufferBytes, MADV_HUGEPAGE);
#endif
  const int64_t share = kBufferBytes / threads / kAlignment * kAlignment;
  std::vector<char> is_filled(threads);
  std::atomic<uint64_t> sink{0};
  auto seconds = time_passes(threads, kReadPasses, [&](int thread) {
    char* begin = buffer + thread * share;
    if (!is_filled[thread]) {  // by the thread that reads it: its pages lie near that thread's processor
      std::fill(begin, begin + share, static_cast<char>(thread + 1));
      is_filled[thread] = 1;
    }
    sink += read_all(begin, begin + share);
  });
  std::free(buffer);
  for (auto& value : seconds) value = static_cast<double>(share * threads) / value / 1e9;
  return seconds;
}

// --- Multiplying -----------------------------------------------------------------------------------------------------
// Codes of 4 bits (unsigned) by activations of 8 bits (signed), summed exactly, all of it in registers.

// Hides from the compiler that a register keeps its value: no multiplication is done once for all, none is put off.
#define RENEW(x) asm volatile("" : "+v"(x))

#if (defined(__AVX512VNNI__) && defined(__AVX512F__)) || defined(__AVXVNNI__)
#if defined(__AVX512VNNI__) && defined(__AVX512F__)
typedef __m512i Int;
const char* const kWith = "vpdpbusd, 512 bits";
inline Int splat(char value) { return _mm512_set1_epi8(value); }
inline Int add_products(Int sum, Int codes, Int x) { return _mm512_dpbusd_epi32(sum, codes, x); }
#else
typedef __m256i Int;
const char* const kWith = "vpdpbusd, 256 bits";
inline Int splat(char value) { return _mm256_set1_epi8(value); }
inline Int add_products(Int sum, Int codes, Int x) { return _mm256_dpbusd_avx_epi32(sum, codes, x); }
#endif
inline void add_to(Int& sum, Int codes, Int x) {
  sum = add_products(sum, codes, x);
  RENEW(sum);
}

// Written out for each sum and not as a loop, or GCC would not keep them in registers.
template <size_t... Index>
int multiply_into(int64_t rounds, std::index_sequence<Index...>) {
  Int sums[sizeof...(Index)] = {};
  const Int codes = splat(7), x = splat(-3);
  for (int64_t round = 0; round < rounds; ++round) (add_to(sums[Index], codes, x), ...);
  const Int total = (sums[Index] ^ ...);
  return static_cast<int>(total[0]);
}

constexpr int kSums = 12;  // more than are on their way at once
constexpr int64_t kMultipliesPerRound = kSums * int64_t{sizeof(Int)};

int multiply(int64_t rounds) { return multiply_into(rounds, std::make_index_sequence<kSums>()); }

#elif defined(__AVX2__)
// Pairs of products, at most 2 * 15 * 128 in size, are added in 16 bits 8 times before they are widened to 32.
const char* const kWith = "vpmaddubsw, 8 sums of 16 bits for each vpmaddwd, 256 bits";
constexpr int kSums = 4, kStepsPerRound = 8;
constexpr int64_t kMultipliesPerRound = int64_t{kSums} * kStepsPerRound * 32;

int multiply(int64_t rounds) {
  __m256i sums[kSums] = {}, codes = _mm256_set1_epi8(7), x = _mm256_set1_epi8(-3);
  const __m256i ones = _mm256_set1_epi16(1);
  for (int64_t round = 0; round < rounds; ++round) {
    __m256i halves[kSums];
    for (int i = 0; i < kSums; ++i) {
      RENEW(codes);
      halves[i] = _mm256_maddubs_epi16(codes, x);
    }
    for (int step = 1; step < kStepsPerRound; ++step) {
      for (int i = 0; i < kSums; ++i) {
        RENEW(codes);
        halves[i] = _mm256_add_epi16(halves[i], _mm256_maddubs_epi16(codes, x));
        RENEW(halves[i]);
      }
    }
    for (int i = 0; i < kSums; ++i) sums[i] = _mm256_add_epi32(sums[i], _mm256_madd_epi16(halves[i], ones));
  }
  for (int i = 1; i < kSums; ++i) sums[0] ^= sums[i];
  return static_cast<int>(sums[0][0]);
}

#else
// Plain C++ on values the compiler keeps in vectors: products in 16 bits, sums in 32.
const char* const kWith = "plain C++";
constexpr int kWidth = 64;
constexpr int64_t kMultipliesPerRound = kWidth;

int multiply(int64_t rounds) {
  int16_t codes[kWidth], x[kWidth];
  int32_t sums[kWidth] = {};
  std::fill_n(codes, kWidth, int16_t{7});
  std::fill_n(x, kWidth, int16_t{-3});
  for (int64_t round = 0; round < rounds; ++round) {
    asm volatile("" : "+m"(codes));
    for (int i = 0; i < kWidth; ++i) sums[i] += codes[i] * x[i];
  }
  int sum = 0;
  for (int i = 0; i < kWidth; ++i) sum += sums[i];
  return sum;
}
#endif

std::vector<double> multiply_speeds(int threads) {
  const int64_t rounds = kMultipliesPerPass / kMultipliesPerRound;
  std::atomic<int> sink{0};
  auto seconds = time_passes(threads, kMultiplyPasses, [&](int) { sink += multiply(rounds); });
  const double operations = 2.0 * kMultipliesPerRound * rounds * threads;
  for (auto& value : seconds) value = operations / value / 1e9;
  return seconds;
}

double best(const std::vector<double>& values) { return *std::max_element(values.begin(), values.end()); }

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return (values[values.size() / 2] + values[(values.size() - 1) / 2]) / 2;
}

}  // namespace

int main(int argc, char** argv) {
  const int threads = argc == 2 ? std::atoi(argv[1]) : 0;
  if (threads < 1) {
    std::fprintf(stderr, "usage: limits THREADS\n");
    return 2;
  }
  const auto reads = read_speeds(threads);
  const auto multiplies = multiply_speeds(threads);
  std::printf(
      "{\"read_best\": %.3f, \"read_median\": %.3f, \"int8_best\": %.3f, \"int8_median\": %.3f, \"int8_with\": \"%s\"}\n",
      best(reads), median(reads), best(multiplies), median(multiplies), kWith);
}
