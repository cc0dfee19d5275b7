// Precompiled for every folder: what is large, stable and included nearly everywhere. Sources still include what they
// use.
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/ssl.hpp>
#include <fmt/format.h>
#include <google/protobuf/message.h>
#include <tl/expected.hpp>
