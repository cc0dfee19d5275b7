#include "recorder/recording_decoder.h"
