#include "recorder/spool_file.h"
