// Products with float weights as they lie in a file: row-major, in the file's own type. Those of 8 bits have scales.
//
// For one row of activations and one row of weights the arithmetic is, whatever the number of tokens and the
// instruction set: columns come in blocks of 1024, the last filled up with zeros to a multiple of 8. In a block lane l
// of 8 adds up the columns l, l + 8, l + 16, ... by fused multiply-adds; then the lanes are added, neighbours first,
// and the sums of the blocks, times their scales, in their order. Where groups of columns with a scale of their own are
// smaller than a block, they are the blocks.
//
// A few tokens read the weights straight from memory, which bounds their speed. Many are bound by arithmetic: a block
// of activations stays in the second-level cache, a tile of weights, as floats, in the first, all its sums in registers.
#pragma once

#include "activations.h"
#include "layout.h"

namespace mistralet {

// ggml's numbers of the float types, beside those in `Type`; it has none for e4m3fn.
constexpr int kF32 = 0, kF16 = 1, kBF16 = 30, kE4M3 = 1000;

constexpr bool is_dense(int type) { return type == kF32 || type == kF16 || type == kBF16 || type == kE4M3; }

// The bits of an e4m3fn number are read as those of a float16, which is this factor smaller: exactly so, since both have
// subnormals. What is no number becomes 480.
constexpr float kE4M3Factor = 256.0f;
constexpr int kE4M3Shift = 7;         // from the code, its sign repeated in front of it, to the places in a float16
constexpr int16_t kE4M3Mask = ~0x4000;  // of all that is not such a repeated sign

constexpr int kSumLanes = 8;
constexpr int64_t kColumnBlock = 1024;
constexpr int kFewTokens = 12;       // up to so many, weights are used straight from memory
constexpr int64_t kTokenBlock = 60;  // a multiple of every tile
constexpr int64_t kRowBlock = 256;   // rows of weights that a block of activations is laid out for
constexpr int kMaxTileRows = 8;
constexpr int64_t kAhead = 512;      // bytes
constexpr int64_t kLine = 64;        // bytes that memory gives at a time
// Floats that a thread needs: one block of activations, one tile of weights, and what becomes of them.
constexpr int64_t kDenseScratch = (kTokenBlock + kMaxTileRows) * kColumnBlock + kTokenBlock * kRowBlock;

struct DenseProduct {
  int type;
  const uint8_t* weights;  // [rows][columns]
  int64_t rows, columns;
  const float* x;          // [tokens][columns]
  int64_t tokens;
  float* out;              // [tokens][rows]
  bool add;                // to what is there
  const float* scales;     // [rows][groups], each of columns / groups columns; null: 1
  int64_t groups;

  int64_t group() const { return columns / groups; }
  int64_t block() const { return group() < kColumnBlock ? group() : kColumnBlock; }

  // Units of work: 16 rows for one block of tokens, block by block.
  int64_t units() const { return (tokens + kTokenBlock - 1) / kTokenBlock * panels(rows); }
};

// A register holds 8 columns of one row of weights, or of two.
template <class Isa>
struct Dense {
  using Float = typename Isa::Float;
  static constexpr int kRegisterRows = Isa::kLanes / kSumLanes;
  static constexpr int kTileRows = 4 * kRegisterRows;

  // How weights of each type are read: 8 columns from `p`, and of the next row from `next`.
  struct F32 {
    static constexpr int kBytes = 4;
    static Float load(const uint8_t* p, const uint8_t* next) { return Isa::load_float_columns(p, next); }
  };
  struct F16 {
    static constexpr int kBytes = 2;
    static Float load(const uint8_t* p, const uint8_t* next) { return Isa::load_half_columns(p, next); }
  };
  struct BF16 {
    static constexpr int kBytes = 2;
    static Float load(const uint8_t* p, const uint8_t* next) { return Isa::load_bfloat_columns(p, next); }
  };
  struct E4M3 {
    static constexpr int kBytes = 1;
    static Float load(const uint8_t* p, const uint8_t* next) { return Isa::load_e4m3_columns(p, next); }
  };

  static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

  template <int Tokens>
  static void clear(Float (&sums)[Tokens][4]) {
    for (auto& token : sums) {
      for (auto& sum : token) sum = Isa::zero_floats();
    }
  }

  // What the sums of a tile's rows over the block that begins with `column` are multiplied by.
  struct Scales {
    float of_rows[kTileRows];

    Scales(const DenseProduct& job, int64_t row, int64_t rows, int64_t column) {
      const int64_t group = column / job.group();
      for (int r = 0; r < kTileRows; ++r) {
        const int64_t place = (row + smaller(r, rows - 1)) * job.groups + group;
        of_rows[r] = job.scales == nullptr ? 1.0f : job.scales[place] * kE4M3Factor;
      }
    }
  };

  // Adds up the lanes of a tile; their sums go on top of `totals`: [token][row of the tile].
  template <int Tokens>
  static void add_lanes(const Float (&sums)[Tokens][4], const Scales& scales, float* totals) {
    for (int t = 0; t < Tokens; ++t, totals += kTileRows) {
      float of_block[kTileRows];
      Isa::sum_columns(sums[t], of_block);
      for (int r = 0; r < kTileRows; ++r) totals[r] += of_block[r] * scales.of_rows[r];
    }
  }

  // --- A few tokens ---

  // One tile of rows, all columns. Rows past the last are the last again.
  template <class W, int Tokens>
  static void multiply_few(const DenseProduct& job, int64_t token, int64_t row, int64_t rows) {
    const int64_t row_bytes = job.columns * W::kBytes, block = job.block();
    const float* x = job.x + token * job.columns;
    const uint8_t* weights[kTileRows];
    float totals[Tokens * kTileRows] = {};
    for (int r = 0; r < kTileRows; ++r) weights[r] = job.weights + (row + smaller(r, rows - 1)) * row_bytes;
    for (int64_t begin = 0; begin < job.columns; begin += block) {
      const int64_t end = smaller(job.columns, begin + block);
      Float sums[Tokens][4];
      clear<Tokens>(sums);
      int64_t k = begin;
      for (; k + kSumLanes <= end; k += kSumLanes) {
        if (token == 0 && k * W::kBytes % kLine == 0) fetch_ahead<W>(job, weights[0], k);
        add_columns<W>(weights, k, x + k, job.columns, sums);
      }
      if (k < end) {
        uint8_t padded[kTileRows][kSumLanes * W::kBytes] = {};
        float padded_x[Tokens][kSumLanes] = {};
        const uint8_t* last[kTileRows];
        for (int r = 0; r < kTileRows; ++r) {
          __builtin_memcpy(padded[r], weights[r] + k * W::kBytes, (end - k) * W::kBytes);
          last[r] = padded[r];
        }
        for (int t = 0; t < Tokens; ++t) {
          __builtin_memcpy(padded_x[t], x + t * job.columns + k, (end - k) * sizeof(float));
        }
        add_columns<W>(last, 0, padded_x[0], kSumLanes, sums);
      }
      add_lanes<Tokens>(sums, Scales(job, row, rows, begin), totals);
    }
    for (int t = 0; t < Tokens; ++t) put(job, token + t, row, rows, totals + t * kTileRows);
  }

  // Puts the sums of `rows` rows for one token where they belong.
  static void put(const DenseProduct& job, int64_t token, int64_t row, int64_t rows, const float* totals) {
    float* out = job.out + token * job.rows + row;
    for (int64_t r = 0; r < rows; ++r) out[r] = job.add ? out[r] + totals[r] : totals[r];
  }

  // The processor follows long rows by itself; where a row ends, it has to be told of the next.
  template <class W>
  static void fetch_ahead(const DenseProduct& job, const uint8_t* weights, int64_t k) {
    const int64_t row_bytes = job.columns * W::kBytes;
    int64_t place = k * W::kBytes + kAhead;
    if (place >= row_bytes) place += (kTileRows - 1) * row_bytes;
    for (int r = 0; r < kTileRows; ++r, place += row_bytes) __builtin_prefetch(weights + place);
  }

  template <class W, int Tokens>
  static void add_columns(const uint8_t* const (&weights)[kTileRows], int64_t k, const float* x, int64_t stride,
                          Float (&sums)[Tokens][4]) {
    Float values[Tokens];
    for (int t = 0; t < Tokens; ++t) values[t] = Isa::repeat_columns(x + t * stride);
    for (int i = 0; i < 4; ++i) {
      const int row = i * kRegisterRows;
      const Float weight = W::load(weights[row] + k * W::kBytes, weights[row + kRegisterRows - 1] + k * W::kBytes);
      for (int t = 0; t < Tokens; ++t) sums[t][i] = Isa::fma(values[t], weight, sums[t][i]);
    }
  }

  // --- Many tokens ---

  // Columns `begin` to `end` of `Rows` rows as floats: [step of 8 columns][row][lane]. Rows past the last are the last
  // again.
  template <class W, int Rows>
  static void lay_out(const uint8_t* source, int64_t row_bytes, int64_t rows, int64_t begin, int64_t end,
                      float* target) {
    const int64_t whole = (end - begin) / kSumLanes, left = (end - begin) % kSumLanes;
    for (int r = 0; r < Rows; ++r, target += kSumLanes) {
      const uint8_t* from = source + smaller(r, rows - 1) * row_bytes + begin * W::kBytes;
      float* to = target;
      for (int64_t step = 0; step < whole; ++step, from += kSumLanes * W::kBytes, to += Rows * kSumLanes) {
        Isa::store_columns(to, W::load(from, from));
      }
      if (left > 0) {
        uint8_t padded[kSumLanes * W::kBytes] = {};
        __builtin_memcpy(padded, from, left * W::kBytes);
        Isa::store_columns(to, W::load(padded, padded));
      }
    }
  }

  // A tile of weights with a tile of tokens, over one block of columns. Not inlined: its sums need the registers.
  template <int Tokens>
  __attribute__((noinline)) static void multiply_tile(const float* weights, const float* x, int64_t steps,
                                                      const Scales& scales, float* totals) {
    Float sums[Tokens][4];
    clear<Tokens>(sums);
    for (; steps > 0; --steps, weights += kTileRows * kSumLanes, x += Tokens * kSumLanes) {
      Float values[Tokens];
      for (int t = 0; t < Tokens; ++t) values[t] = Isa::repeat_columns(x + t * kSumLanes);
      for (int i = 0; i < 4; ++i) {
        const Float weight = Isa::load_floats(weights + i * Isa::kLanes);
        for (int t = 0; t < Tokens; ++t) sums[t][i] = Isa::fma(values[t], weight, sums[t][i]);
      }
    }
    add_lanes<Tokens>(sums, scales, totals);
  }

  // Memory has something to do while a tile is multiplied: columns `first` to `last` of the next one's weights.
  template <class W>
  static void fetch_share(const uint8_t* weights, int64_t row_bytes, int64_t first, int64_t last) {
    for (int r = 0; r < kTileRows; ++r, weights += row_bytes) {
      for (int64_t place = first * W::kBytes; place < last * W::kBytes; place += kRegister) {
        __builtin_prefetch(weights + place);
      }
    }
  }

  // Rows `first` to `last`, at most kRowBlock, for the block of tokens from `token` on.
  template <class W>
  static void multiply_block(const DenseProduct& job, int64_t token, int64_t first, int64_t last, float* scratch) {
    const int64_t tokens = smaller(kTokenBlock, job.tokens - token), row_bytes = job.columns * W::kBytes;
    const int64_t block = job.block();
    float* const x = scratch;                                     // of the block, laid out
    float* const weights = x + kTokenBlock * kColumnBlock;        // of a tile, laid out
    float* const totals = weights + kMaxTileRows * kColumnBlock;  // [tile of rows][token][row of the tile]
    __builtin_memset(totals, 0, kTokenBlock * kRowBlock * sizeof(float));
    for (int64_t begin = 0; begin < job.columns; begin += block) {
      const int64_t end = smaller(job.columns, begin + block);
      const int64_t steps = (end - begin + kSumLanes - 1) / kSumLanes;
      for_tiles(tokens, [&](auto size, int64_t t) {
        const auto* source = reinterpret_cast<const uint8_t*>(job.x + (token + t) * job.columns);
        lay_out<F32, size.value>(source, job.columns * F32::kBytes, size.value, begin, end, x + t * steps * kSumLanes);
      });
      for (int64_t row = first; row < last; row += kTileRows) {
        const uint8_t* source = job.weights + row * row_bytes;
        const int64_t rows = smaller(kTileRows, last - row);
        const Scales scales(job, row, rows, begin);
        lay_out<W, kTileRows>(source, row_bytes, rows, begin, end, weights);
        const uint8_t* next = source + kTileRows * row_bytes + begin * W::kBytes;
        for_tiles(tokens, [&](auto size, int64_t t) {
          fetch_share<W>(next, row_bytes, (end - begin) * t / tokens, (end - begin) * (t + size.value) / tokens);
          multiply_tile<size.value>(weights, x + t * steps * kSumLanes, steps, scales,
                                    totals + (row - first) * kTokenBlock + t * kTileRows);
        });
      }
    }
    for (int64_t row = first; row < last; row += kTileRows) {
      const float* from = totals + (row - first) * kTokenBlock;
      for (int64_t t = 0; t < tokens; ++t, from += kTileRows) {
        put(job, token + t, row, smaller(kTileRows, last - row), from);
      }
    }
  }

  // Calls `function` for tiles of up to kTileTokens tokens, which together are `tokens`.
  template <class Function>
  static void for_tiles(int64_t tokens, Function&& function) {
    for (int64_t t = 0; t < tokens; t += Isa::kTileTokens) {
      with_count<Isa::kTileTokens>(smaller(Isa::kTileTokens, tokens - t), [&](auto size) { function(size, t); });
    }
  }

  template <class W>
  static void multiply(const DenseProduct& job, int64_t first_unit, int64_t last_unit, float* scratch) {
    const int64_t count = panels(job.rows);
    for (int64_t unit = first_unit; unit < last_unit;) {
      const int64_t block = unit / count, next = smaller(last_unit, (block + 1) * count);
      const int64_t first = unit % count * kPanelRows, last = smaller(job.rows, first + (next - unit) * kPanelRows);
      if (job.tokens > kFewTokens) {
        for (int64_t row = first; row < last; row += kRowBlock) {
          multiply_block<W>(job, block * kTokenBlock, row, smaller(last, row + kRowBlock), scratch);
        }
      } else {
        for (int64_t row = first; row < last; row += kTileRows) {
          for_tiles(job.tokens, [&](auto size, int64_t token) {
            multiply_few<W, size.value>(job, token, row, smaller(kTileRows, last - row));
          });
        }
      }
      unit = next;
    }
  }

  // Does units `first` to `last` of a product.
  static void multiply(const DenseProduct& job, int64_t first, int64_t last, float* scratch) {
    if (job.type == kF32) multiply<F32>(job, first, last, scratch);
    if (job.type == kF16) multiply<F16>(job, first, last, scratch);
    if (job.type == kBF16) multiply<BF16>(job, first, last, scratch);
    if (job.type == kE4M3) multiply<E4M3>(job, first, last, scratch);
  }
};

}  // namespace mistralet
