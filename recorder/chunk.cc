#include "recorder/chunk.h"
