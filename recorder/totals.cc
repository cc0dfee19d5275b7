#include "recorder/totals.h"
