#include "recorder/sequence_set.h"
