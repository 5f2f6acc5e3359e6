// AVX-512 with VNNI: a register holds four weights of all 16 rows, and one instruction multiplies and adds them.
#include <immintrin.h>

#include "attention.h"
#include "kernel.h"

namespace mistralet {
namespace {

struct Avx512 {
  static constexpr int kLanes = 16;
  using Int = __m512i;
  using Float = __m512;

  static Int load(const uint8_t* p) { return _mm512_loadu_si512(p); }
  static Int mask_bytes(Int a, char mask) { return _mm512_and_si512(a, _mm512_set1_epi8(mask)); }
  static Int bit_or(Int a, Int b) { return _mm512_or_si512(a, b); }
  template <int N> static Int shift_left(Int a) { return _mm512_slli_epi16(a, N); }
  template <int N> static Int shift_right(Int a) { return _mm512_srli_epi16(a, N); }
  static Int zero() { return _mm512_setzero_si512(); }
  static Int splat(int value) { return _mm512_set1_epi32(value); }
  static Int add(Int a, Int b) { return _mm512_add_epi32(a, b); }
  static Int mul_ints(Int a, Int b) { return _mm512_mullo_epi32(a, b); }
  static Int load_signed_bytes(const uint8_t* p) {
    return _mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  template <bool> static Int add_dot(Int sum, Int codes, const int8_t* quad) {
    int bits;
    __builtin_memcpy(&bits, quad, 4);
    return _mm512_dpbusd_epi32(sum, codes, _mm512_set1_epi32(bits));
  }

  static Float zero_floats() { return _mm512_setzero_ps(); }
  static Float splat_float(float value) { return _mm512_set1_ps(value); }
  static Float to_floats(Int a) { return _mm512_cvtepi32_ps(a); }
  static Float mul(Float a, Float b) { return _mm512_mul_ps(a, b); }
  static Float sub(Float a, Float b) { return _mm512_sub_ps(a, b); }
  static Float fma(Float a, Float b, Float c) { return _mm512_fmadd_ps(a, b, c); }
  static float sum(Float a) { return _mm512_reduce_add_ps(a); }
  static Float maximum(Float a, Float b) { return _mm512_max_ps(a, b); }
  static Int round(Float a) { return _mm512_cvtps_epi32(a); }
  static Float power_of_two(Int n) { return _mm512_castsi512_ps(_mm512_slli_epi32(add(n, splat(127)), 23)); }
  static Float load_floats(const float* p) { return _mm512_loadu_ps(p); }
  static void store_floats(float* p, Float a) { _mm512_storeu_ps(p, a); }
  static Float load_halves(const uint8_t* p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static Float load_bytes_as_floats(const uint8_t* p) {
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
  }
};

}  // namespace

void multiply_avx512(Type type, const uint8_t* packed, int64_t rows, const Activations& x, int64_t first, int64_t last,
                     float* out) {
  multiply<Avx512>(type, packed, rows, x, first, last, out);
}

void attend_avx512(const AttentionJob& job, int64_t first, int64_t last) { attend<Avx512>(job, first, last); }

}  // namespace mistralet
