#include "recorder/crc32c.h"
