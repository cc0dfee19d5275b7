#include "recorder/sequence_ledger.h"
