#include "recorder/terminal_filter.h"
