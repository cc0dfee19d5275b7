#include "recorder/reorder_window.h"
