// The kernels, compiled for one instruction set each, behind one table of functions.
//
// A file isa_*.cpp defines the vectors `Isa` and nothing else that another file could take for its own: whatever it
// instantiates is internal to it, so that no instruction reaches a processor that does not have it.
#pragma once

#include "attention.h"
#include "dense.h"
#include "kernel.h"
#include "prepare.h"
#include "sample.h"
#include "whole_attention.h"

namespace mistralet {

struct InstructionSet {
  const char* name;
  int tile_rows;   // of activations, that one pass over a panel of weights serves
  void (*prepare)(const Source& source, int64_t row, float* out);
  void (*round_row)(const float* x, int64_t groups, const Tile& tile, int i);
  void (*multiply)(Type type, const uint8_t* packed, int64_t rows, const Activations& x, bool add, int64_t first_panel,
                   int64_t last_panel, float* out);
  void (*multiply_dense)(const DenseProduct& product, int64_t first_unit, int64_t last_unit, float* scratch);
  void (*attend_chunk)(const AttentionJob& job, const AttentionSequence& sequence, int64_t kv_head, int64_t first,
                       int64_t last);
  void (*attend_whole)(const AttentionJob& job, const AttentionSequence& sequence, int64_t kv_head, int64_t first,
                       int64_t last);
  void (*attend_part)(const AttentionJob& job, const AttentionSequence& sequence, int64_t kv_head, int64_t piece,
                      AttentionState* partial);
  void (*merge_parts)(const AttentionJob& job, const AttentionSequence& sequence, int64_t kv_head,
                      const AttentionState* partial);
  void (*block_maxima)(const float* scores, int64_t vocab, float* maxima);
  Sampled (*sample)(float* scores, int64_t vocab, const float* maxima, const SampleRow& row, const SampleRoom& room,
                    Candidate* alternatives);
};

template <class Isa>
constexpr InstructionSet instruction_set(const char* name) {
  return {name,
          Isa::kTileRows,
          prepare<Isa>,
          round_row<Isa>,
          multiply<Isa>,
          Dense<Isa>::multiply,
          attend_chunk<Isa>,
          attend_whole<Isa>,
          attend_part<Isa>,
          merge_parts<Isa>,
          block_maxima<Isa>,
          sample<Isa>};
}

extern const InstructionSet kPortable;
extern const InstructionSet kAvx2;
extern const InstructionSet kAvx512;

}  // namespace mistralet
