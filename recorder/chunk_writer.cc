#include "recorder/chunk_writer.h"
