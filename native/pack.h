// From rows of GGUF blocks to panels (see layout.h).
#pragma once

#include "layout.h"

namespace mistralet {

// Bytes of a packed matrix; -1 if `columns` is no whole number of blocks or the type is unknown.
int64_t packed_bytes(Type type, int64_t rows, int64_t columns);

// Packs panels `first` to `last` of `source` (rows of GGUF blocks) into `target` (the whole packed matrix).
void pack_panels(Type type, const uint8_t* source, int64_t rows, int64_t columns, int64_t first, int64_t last,
                 uint8_t* target);

}  // namespace mistralet
