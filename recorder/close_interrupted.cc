#include "recorder/recording_writer.h"
