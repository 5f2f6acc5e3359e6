// AVX2 with FMA and F16C: a register holds four weights of 8 rows, so a panel is taken in two halves.
#include <immintrin.h>

#include "instruction_set.h"

namespace mistralet {
namespace {

struct Avx2 {
  static constexpr int kLanes = 8, kVectors = 2;
  static constexpr int kTileRows = 5;         // two vectors of sums a row, codes and activations fit into 16 registers
  static constexpr int kTileTokens = 3;       // their 12 sums, three activations and a weight do, too
  static constexpr bool kSignedBytes = true;
  using Int = __m256i;
  using Float = __m256;

  static Int load(const uint8_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
  static void store(uint8_t* p, Int a) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), a); }
  static Int mask_bytes(Int a, char mask) { return _mm256_and_si256(a, _mm256_set1_epi8(mask)); }
  static Int bit_or(Int a, Int b) { return _mm256_or_si256(a, b); }
  template <int N> static Int shift_left(Int a) { return _mm256_slli_epi16(a, N); }
  template <int N> static Int shift_right(Int a) { return _mm256_srli_epi16(a, N); }
  template <int N> static Int shift_ints_left(Int a) { return _mm256_slli_epi32(a, N); }
  static Int zero() { return _mm256_setzero_si256(); }
  static Int splat(int value) { return _mm256_set1_epi32(value); }
  static Int add(Int a, Int b) { return _mm256_add_epi32(a, b); }
  static Int sub_ints(Int a, Int b) { return _mm256_sub_epi32(a, b); }
  static Int mul_ints(Int a, Int b) { return _mm256_mullo_epi32(a, b); }
  static int sum_ints(Int a) {
    __m128i half = _mm_add_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
    half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(half, _mm_shuffle_epi32(half, 0xb1)));
  }
  static Int load_signed_bytes(const uint8_t* p) {
    return _mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
  }
  static Int load_bytes(const uint8_t* p) {
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
  }
  static void store_bytes(int8_t* p, const Int (&codes)[4]) {
    const Int pairs = _mm256_packs_epi16(_mm256_packs_epi32(codes[0], codes[1]), _mm256_packs_epi32(codes[2], codes[3]));
    const Int order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm256_permutevar8x32_epi32(pairs, order));
  }

  static Int quad(const int8_t* p) {
    int bits;
    __builtin_memcpy(&bits, p, 4);
    return _mm256_set1_epi32(bits);
  }
  // Products of two codes with activations from -127 to 127 are added in 16 bits as often as they cannot overflow:
  // 8 times 2 * 15 * 127, 4 times 2 * 31 * 127, 2 times 2 * 63 * 127, once 2 * 128 * 127.
  template <int Bits, int First, int Last, int Rows, int Vectors, class Codes>
  static void dots(const Codes& codes, const int8_t* x, Int (&out)[Rows][Vectors]) {
    // Sums of 32 bits need registers beside those of 16: fewer rows at a time.
    constexpr int kRowsAtOnce = Bits == 4 || Bits == 8 || Rows < 3 ? Rows : 3, kRest = Rows % kRowsAtOnce;
    for (int row = 0; row + kRowsAtOnce <= Rows; row += kRowsAtOnce) {
      dots_of_rows<Bits, First, Last, kRowsAtOnce>(codes, x + row * kGroup, out + row);
    }
    if constexpr (kRest > 0) dots_of_rows<Bits, First, Last, kRest>(codes, x + (Rows - kRest) * kGroup, out + Rows - kRest);
  }
  template <int Bits, int First, int Last, int Rows, int Vectors, class Codes>
  static void dots_of_rows(const Codes& codes, const int8_t* x, Int (*out)[Vectors]) {
    constexpr int kSafe = Bits == 4 ? 8 : Bits == 5 ? 4 : Bits == 6 ? 2 : 1;
    constexpr int kRun = kSafe < Last - First ? kSafe : Last - First;
    const Int ones = _mm256_set1_epi16(1);
    Int totals[Rows][Vectors];
    #pragma GCC unroll 8
    for (int run = First; run < Last; run += kRun) {
      Int sums[Rows][Vectors];
      #pragma GCC unroll 8
      for (int q = run; q < run + kRun; ++q) {
        Int weights[Vectors];
        for (int v = 0; v < Vectors; ++v) weights[v] = codes(q, v);
        #pragma GCC unroll 8
        for (int m = 0; m < Rows; ++m) {
          const Int activations = quad(x + m * kGroup + 4 * q);
          for (int v = 0; v < Vectors; ++v) {
            const Int pairs = multiply_pairs<Bits>(weights[v], activations);
            sums[m][v] = q == run ? pairs : _mm256_add_epi16(sums[m][v], pairs);
            // In this order, one after the other: sums side by side would not fit into the registers.
            __asm__("" : "+x"(sums[m][v]));
          }
        }
      }
      for (int m = 0; m < Rows; ++m) {
        for (int v = 0; v < Vectors; ++v) {
          const Int wide = _mm256_madd_epi16(sums[m][v], ones);
          totals[m][v] = run == First ? wide : add(totals[m][v], wide);
        }
      }
    }
    for (int m = 0; m < Rows; ++m) {
      for (int v = 0; v < Vectors; ++v) out[m][v] = totals[m][v];
    }
  }
  template <int Bits> static Int multiply_pairs(Int weights, Int activations) {
    if constexpr (Bits < 8) return _mm256_maddubs_epi16(weights, activations);
    // Codes of 8 bits are signed again (they lie as excess 128), and the sign goes over to the activations.
    const Int weight = _mm256_xor_si256(weights, _mm256_set1_epi8(-128));
    return _mm256_maddubs_epi16(_mm256_abs_epi8(weight), _mm256_sign_epi8(activations, weight));
  }

  // For whole_attention.h: the lower 16 bits of two registers' lanes in one; products of pairs added to sums.
  static Int pair(Int low, Int high) { return _mm256_blend_epi16(low, _mm256_slli_epi32(high, 16), 0xaa); }
  static Int add_pairs(Int sum, Int a, Int b) {
    sum = add(sum, _mm256_madd_epi16(a, b));
    __asm__("" : "+x"(sum));  // in this order: sums side by side would need more registers than there are
    return sum;
  }

  static Float zero_floats() { return _mm256_setzero_ps(); }
  static Float splat_float(float value) { return _mm256_set1_ps(value); }
  static Float to_floats(Int a) { return _mm256_cvtepi32_ps(a); }
  static Float add_floats(Float a, Float b) { return _mm256_add_ps(a, b); }
  static Float sub(Float a, Float b) { return _mm256_sub_ps(a, b); }
  static Float mul(Float a, Float b) { return _mm256_mul_ps(a, b); }
  static Float div(Float a, Float b) { return _mm256_div_ps(a, b); }
  static Float fma(Float a, Float b, Float c) { return _mm256_fmadd_ps(a, b, c); }
  static Float minimum(Float a, Float b) { return _mm256_min_ps(a, b); }
  static Float maximum(Float a, Float b) { return _mm256_max_ps(a, b); }
  static Float absolute(Float a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
  static float largest(Float a) {
    __m128 half = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    half = _mm_max_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_max_ss(half, _mm_movehdup_ps(half)));
  }
  static int nan_lanes(Float a, Float b) { return _mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_UNORD_Q)); }
  static int lanes_at_least(Float a, Float b) { return _mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_GE_OQ)); }
  // Lane i is that of `a` if bit i is set, else that of `b`.
  static Float choose_lanes(uint32_t bits, Float a, Float b) {
    const Int lane_bits = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    const Int chosen = _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32(static_cast<int>(bits)), lane_bits), lane_bits);
    return _mm256_blendv_ps(b, a, _mm256_castsi256_ps(chosen));
  }
  static Float or_zero_below(Float a, Float limit) { return _mm256_and_ps(a, _mm256_cmp_ps(a, limit, _CMP_GE_OQ)); }
  static Int round(Float a) { return _mm256_cvtps_epi32(a); }
  static Float power_of_two(Int n) { return _mm256_castsi256_ps(_mm256_slli_epi32(add(n, splat(127)), 23)); }
  // a * 2^n, if that is a normal number.
  static Float scale_by_power(Float a, Int n) {
    return _mm256_castsi256_ps(add(_mm256_castps_si256(a), _mm256_slli_epi32(n, 23)));
  }
  static Float load_floats(const float* p) { return _mm256_loadu_ps(p); }
  static void store_floats(float* p, Float a) { _mm256_storeu_ps(p, a); }
  static Float load_halves(const uint8_t* p) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  static Float load_bfloats(const uint16_t* p) {
    const Int wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
    return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
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
  static Float load_e4m3_columns(const uint8_t* p, const uint8_t*) {
    const __m128i signed_codes = _mm_cvtepi8_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
    return _mm256_cvtph_ps(_mm_and_si128(_mm_slli_epi16(signed_codes, kE4M3Shift), _mm_set1_epi16(kE4M3Mask)));
  }
  static Float repeat_columns(const float* p) { return _mm256_loadu_ps(p); }
  static void store_columns(float* p, Float a) { _mm256_storeu_ps(p, a); }
  static void sum_columns(const Float (&a)[4], float* out) {
    const Float sums = _mm256_hadd_ps(_mm256_hadd_ps(a[0], a[1]), _mm256_hadd_ps(a[2], a[3]));
    _mm_storeu_ps(out, _mm_add_ps(_mm256_castps256_ps128(sums), _mm256_extractf128_ps(sums, 1)));
  }
};

}  // namespace

const InstructionSet kAvx2 = instruction_set<Avx2>("avx2");

}  // namespace mistralet
