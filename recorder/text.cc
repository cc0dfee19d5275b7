#include "recorder/text.h"
