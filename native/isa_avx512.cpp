// AVX-512 with VNNI: a register holds four weights of all 16 rows, and one instruction multiplies and adds them.
#include <immintrin.h>

#include "instruction_set.h"

namespace mistralet {
namespace {

struct Avx512 {
  static constexpr int kLanes = 16, kVectors = 1;
  static constexpr int kTileRows = 12;  // their sums, the codes and scales fill the 32 registers
  static constexpr int kTileTokens = 4;  // their 16 sums leave room for what 8-bit floats are widened with
  static constexpr bool kSignedBytes = false;
  using Int = __m512i;
  using Float = __m512;

  static Int load(const uint8_t* p) { return _mm512_loadu_si512(p); }
  static void store(uint8_t* p, Int a) { _mm512_storeu_si512(p, a); }
  static Int mask_bytes(Int a, char mask) { return _mm512_and_si512(a, _mm512_set1_epi8(mask)); }
  static Int bit_or(Int a, Int b) { return _mm512_or_si512(a, b); }
  template <int N> static Int shift_left(Int a) { return _mm512_slli_epi16(a, N); }
  template <int N> static Int shift_right(Int a) { return _mm512_srli_epi16(a, N); }
  template <int N> static Int shift_ints_left(Int a) { return _mm512_slli_epi32(a, N); }
  static Int zero() { return _mm512_setzero_si512(); }
  static Int splat(int value) { return _mm512_set1_epi32(value); }
  static Int add(Int a, Int b) { return _mm512_add_epi32(a, b); }
  static Int sub_ints(Int a, Int b) { return _mm512_sub_epi32(a, b); }
  static Int mul_ints(Int a, Int b) { return _mm512_mullo_epi32(a, b); }
  static int sum_ints(Int a) { return _mm512_reduce_add_epi32(a); }
  static Int load_signed_bytes(const uint8_t* p) {
    return _mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  static Int load_bytes(const uint8_t* p) {
    return _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  static void store_bytes(int8_t* p, const Int (&codes)[2]) {
    for (int i = 0; i < 2; ++i) {
      _mm_storeu_si128(reinterpret_cast<__m128i*>(p + 16 * i), _mm512_cvtepi32_epi8(codes[i]));
    }
  }

  static Int quad(const int8_t* p) {
    int bits;
    __builtin_memcpy(&bits, p, 4);
    return _mm512_set1_epi32(bits);
  }
  // Adds the products of each lane's four bytes with the four at `x`. By hand, since GCC copies every sum to another
  // register and back around the intrinsic, which costs a fifth of the speed.
  static void add_dot(Int& sum, Int weights, const int8_t* x) {
    using Quad [[gnu::may_alias, gnu::aligned(1)]] = int;
    asm("vpdpbusd %2%{1to16%}, %1, %0" : "+v"(sum) : "v"(weights), "m"(*reinterpret_cast<const Quad*>(x)));
  }
  template <int Bits, int First, int Last, int Rows, class Codes>
  static void dots(const Codes& codes, const int8_t* x, Int (&out)[Rows][1]) {
    for (auto& row : out) row[0] = zero();
    for (int q = First; q < Last; ++q) {
      const Int weights = codes(q, 0);
      for (int m = 0; m < Rows; ++m) add_dot(out[m][0], weights, x + m * kGroup + 4 * q);
    }
  }

  // For whole_attention.h: the lower 16 bits of two registers' lanes in one; products of pairs added to sums.
  static Int pair(Int low, Int high) { return _mm512_mask_blend_epi16(0xaaaaaaaa, low, _mm512_slli_epi32(high, 16)); }
  static Int add_pairs(Int sum, Int a, Int b) { return _mm512_dpwssd_epi32(sum, a, b); }

  static Float zero_floats() { return _mm512_setzero_ps(); }
  static Float splat_float(float value) { return _mm512_set1_ps(value); }
  static Float to_floats(Int a) { return _mm512_cvtepi32_ps(a); }
  static Float add_floats(Float a, Float b) { return _mm512_add_ps(a, b); }
  static Float sub(Float a, Float b) { return _mm512_sub_ps(a, b); }
  static Float mul(Float a, Float b) { return _mm512_mul_ps(a, b); }
  static Float div(Float a, Float b) { return _mm512_div_ps(a, b); }
  static Float fma(Float a, Float b, Float c) { return _mm512_fmadd_ps(a, b, c); }
  static Float minimum(Float a, Float b) { return _mm512_min_ps(a, b); }
  static Float maximum(Float a, Float b) { return _mm512_max_ps(a, b); }
  static Float absolute(Float a) { return _mm512_abs_ps(a); }
  static float largest(Float a) { return _mm512_reduce_max_ps(a); }
  static int nan_lanes(Float a, Float b) { return _mm512_cmp_ps_mask(a, b, _CMP_UNORD_Q); }
  static int lanes_at_least(Float a, Float b) { return _mm512_cmp_ps_mask(a, b, _CMP_GE_OQ); }
  // Lane i is that of `a` if bit i is set, else that of `b`.
  static Float choose_lanes(uint32_t bits, Float a, Float b) {
    return _mm512_mask_blend_ps(static_cast<__mmask16>(bits), b, a);
  }
  static Float or_zero_below(Float a, Float limit) {
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(a, limit, _CMP_GE_OQ), a);
  }
  static Int round(Float a) { return _mm512_cvtps_epi32(a); }
  static Float power_of_two(Int n) { return _mm512_castsi512_ps(_mm512_slli_epi32(add(n, splat(127)), 23)); }
  // a * 2^n, if that is a normal number.
  static Float scale_by_power(Float a, Int n) {
    return _mm512_castsi512_ps(add(_mm512_castps_si512(a), _mm512_slli_epi32(n, 23)));
  }
  static Float load_floats(const float* p) { return _mm512_loadu_ps(p); }
  static void store_floats(float* p, Float a) { _mm512_storeu_ps(p, a); }
  static Float load_halves(const uint8_t* p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static Float load_bfloats(const uint16_t* p) {
    const Int wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
  }
  static Float load_bytes_as_floats(const uint8_t* p) {
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
  }

  // For dense.h: 8 columns of a row, and below them 8 of the next.
  static Float join(__m256 low, __m256 high) {
    const __m512d wide = _mm512_castps_pd(_mm512_castps256_ps512(low));
    return _mm512_castpd_ps(_mm512_insertf64x4(wide, _mm256_castps_pd(high), 1));
  }
  static __m256 upper_half(Float a) { return _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(a), 1)); }
  static Float load_float_columns(const uint8_t* p, const uint8_t* next) {
    return join(_mm256_loadu_ps(reinterpret_cast<const float*>(p)),
                _mm256_loadu_ps(reinterpret_cast<const float*>(next)));
  }
  static __m256i load_columns(const uint8_t* p, const uint8_t* next) {
    return _mm256_loadu2_m128i(reinterpret_cast<const __m128i*>(next), reinterpret_cast<const __m128i*>(p));
  }
  static Float load_half_columns(const uint8_t* p, const uint8_t* next) {
    return _mm512_cvtph_ps(load_columns(p, next));
  }
  static Float load_bfloat_columns(const uint8_t* p, const uint8_t* next) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(load_columns(p, next)), 16));
  }
  static Float load_e4m3_columns(const uint8_t* p, const uint8_t* next) {
    const __m128d low = _mm_load_sd(reinterpret_cast<const double*>(p));
    const __m128i codes = _mm_castpd_si128(_mm_loadh_pd(low, reinterpret_cast<const double*>(next)));
    const __m256i shifted = _mm256_slli_epi16(_mm256_cvtepi8_epi16(codes), kE4M3Shift);
    return _mm512_cvtph_ps(_mm256_and_si256(shifted, _mm256_set1_epi16(kE4M3Mask)));
  }
  static Float repeat_columns(const float* p) {
    return _mm512_castpd_ps(_mm512_broadcast_f64x4(_mm256_loadu_pd(reinterpret_cast<const double*>(p))));
  }
  static void store_columns(float* p, Float a) { _mm256_storeu_ps(p, _mm512_castps512_ps256(a)); }
  static __m128 sum_rows(__m256 a, __m256 b, __m256 c, __m256 d) {
    const __m256 sums = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d));
    return _mm_add_ps(_mm256_castps256_ps128(sums), _mm256_extractf128_ps(sums, 1));
  }
  static void sum_columns(const Float (&a)[4], float* out) {
    const __m128 even = sum_rows(_mm512_castps512_ps256(a[0]), _mm512_castps512_ps256(a[1]),
                                 _mm512_castps512_ps256(a[2]), _mm512_castps512_ps256(a[3]));
    const __m128 odd = sum_rows(upper_half(a[0]), upper_half(a[1]), upper_half(a[2]), upper_half(a[3]));
    _mm_storeu_ps(out, _mm_unpacklo_ps(even, odd));
    _mm_storeu_ps(out + 4, _mm_unpackhi_ps(even, odd));
  }
};

}  // namespace

const InstructionSet kAvx512 = instruction_set<Avx512>("avx512");

}  // namespace mistralet
