// The one translation unit that compiles Asio itself (BOOST_ASIO_SEPARATE_COMPILATION): every other one sees
// declarations alone.
#include <boost/asio/impl/src.hpp>
#include <boost/asio/ssl/impl/src.hpp>
