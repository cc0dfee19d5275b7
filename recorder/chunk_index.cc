#include "recorder/chunk_index.h"
