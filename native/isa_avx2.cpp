// AVX2 with FMA and F16C: a register holds four weights of 8 rows, so a panel is taken in two halves.
#include <immintrin.h>

#include "attention.h"
#include "dense.h"
#include "kernel.h"

namespace mistralet {
namespace {

struct Avx2 {
  static constexpr int kLanes = 8;
  using Int = __m256i;
  using Float = __m256;

  static Int load(const uint8_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
  static Int mask_bytes(Int a, char mask) { return _mm256_and_si256(a, _mm256_set1_epi8(mask)); }
  static Int bit_or(Int a, Int b) { return _mm256_or_si256(a, b); }
  template <int N> static Int shift_left(Int a) { return _mm256_slli_epi16(a, N); }
  template <int N> static Int shift_right(Int a) { return _mm256_srli_epi16(a, N); }
  static Int zero() { return _mm256_setzero_si256(); }
  static Int splat(int value) { return _mm256_set1_epi32(value); }
  static Int add(Int a, Int b) { return _mm256_add_epi32(a, b); }
  static Int mul_ints(Int a, Int b) { return _mm256_mullo_epi32(a, b); }
  static Int load_signed_bytes(const uint8_t* p) {
    return _mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
  }
  template <bool EightBits> static Int add_dot(Int sum, Int codes, const int8_t* quad) {
    int bits;
    __builtin_memcpy(&bits, quad, 4);
    const Int x = _mm256_set1_epi32(bits);
    const Int ones = _mm256_set1_epi16(1);
    if constexpr (!EightBits) {
      return add(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(codes, x), ones));
    }
    // Two products of 8-bit codes do not fit in 16 bits: take the upper seven bits and the lowest apart.
    const Int upper = mask_bytes(_mm256_srli_epi16(codes, 1), 0x7f);
    const Int lowest = mask_bytes(codes, 1);
    const Int twice = _mm256_slli_epi32(_mm256_madd_epi16(_mm256_maddubs_epi16(upper, x), ones), 1);
    return add(sum, add(twice, _mm256_madd_epi16(_mm256_maddubs_epi16(lowest, x), ones)));
  }

  static Float zero_floats() { return _mm256_setzero_ps(); }
  static Float splat_float(float value) { return _mm256_set1_ps(value); }
  static Float to_floats(Int a) { return _mm256_cvtepi32_ps(a); }
  static Float mul(Float a, Float b) { return _mm256_mul_ps(a, b); }
  static Float sub(Float a, Float b) { return _mm256_sub_ps(a, b); }
  static Float fma(Float a, Float b, Float c) { return _mm256_fmadd_ps(a, b, c); }
  static float sum(Float a) {
    __m128 half = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
  }
  static Float maximum(Float a, Float b) { return _mm256_max_ps(a, b); }
  static Int round(Float a) { return _mm256_cvtps_epi32(a); }
  static Float power_of_two(Int n) { return _mm256_castsi256_ps(_mm256_slli_epi32(add(n, splat(127)), 23)); }
  static Float load_floats(const float* p) { return _mm256_loadu_ps(p); }
  static void store_floats(float* p, Float a) { _mm256_storeu_ps(p, a); }
  static Float load_halves(const uint8_t* p) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  static Float load_bytes_as_floats(const uint8_t* p) {
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
  }

  // For dense.h: 8 columns of a row.
  static Float load_float_columns(const uint8_t* p, const uint8_t*) {
    return _mm256_loadu_ps(reinterpret_cast<const float*>(p));
  }
  static Float load_half_columns(const uint8_t* p, const uint8_t*) { return load_halves(p); }
  static Float load_bfloat_columns(const uint8_t* p, const uint8_t*) {
    const __m128i bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
  }
  static Float repeat_columns(const float* p) { return _mm256_loadu_ps(p); }
  static void store_columns(float* p, Float a) { _mm256_storeu_ps(p, a); }
  static void sum_columns(const Float (&a)[4], float* out) {
    const Float sums = _mm256_hadd_ps(_mm256_hadd_ps(a[0], a[1]), _mm256_hadd_ps(a[2], a[3]));
    _mm_storeu_ps(out, _mm_add_ps(_mm256_castps256_ps128(sums), _mm256_extractf128_ps(sums, 1)));
  }
};

}  // namespace

void multiply_avx2(Type type, const uint8_t* packed, int64_t rows, const Activations& x, int64_t first, int64_t last,
                   float* out) {
  multiply<Avx2>(type, packed, rows, x, first, last, out);
}

void multiply_dense_avx2(const DenseProduct& product, int64_t first, int64_t last, float* scratch) {
  Dense<Avx2>::multiply(product, first, last, scratch);
}

void attend_avx2(const AttentionJob& job, int64_t first, int64_t last) { attend<Avx2>(job, first, last); }

}  // namespace mistralet
