#include "recorder/summary.h"
