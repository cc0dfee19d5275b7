# The two shapes of target that Cairn has, and the flags that all share.
#
#   cairn_library(NAME SOURCES … HEADERS … PUBLIC … PRIVATE …)   one folder's code, as cairn_NAME
#   cairn_unit_tests(NAME SOURCES … LINK …)                      its tests, as NAME_tests, one CTest test per case

set(CAIRN_SANITIZE "" CACHE STRING "Sanitizers for -fsanitize=, for example address,undefined")

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 17)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_VERIFY_INTERFACE_HEADER_SETS OFF)   # target all_verify_interface_header_sets still builds each header alone on demand

find_program(CAIRN_CCACHE ccache)
if(CAIRN_CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${CAIRN_CCACHE})
  # Precompiled headers carry times; without these two ccache would refuse them.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${CAIRN_CCACHE})
endif()

find_package(Threads REQUIRED)
find_package(OpenSSL 3 REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(Protobuf REQUIRED)
find_package(spdlog REQUIRED)
find_package(fmt REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(CLI11 REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(GTest REQUIRED)
find_package(ZLIB REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(VTERM REQUIRED IMPORTED_TARGET vterm)
pkg_check_modules(LIBBPF REQUIRED IMPORTED_TARGET libbpf)
pkg_check_modules(JEMALLOC REQUIRED IMPORTED_TARGET jemalloc)
pkg_check_modules(LIBSSH REQUIRED IMPORTED_TARGET libssh)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3)
pkg_check_modules(SECCOMP REQUIRED IMPORTED_TARGET libseccomp)
find_library(CAIRN_RE2 re2 REQUIRED)  # its pkg-config file wants -pthread, which the precompiled header has not

add_library(cairn_flags INTERFACE)
target_include_directories(cairn_flags INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR})
target_compile_options(cairn_flags INTERFACE -Wall -Wextra -Werror -fno-omit-frame-pointer -fPIE)
target_link_options(cairn_flags INTERFACE -pie)
target_compile_definitions(cairn_flags INTERFACE
  BOOST_ASIO_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_BOOST_REGEX CAIRN_VERSION="${PROJECT_VERSION}")
if(CAIRN_SANITIZE)
  target_compile_options(cairn_flags INTERFACE -fsanitize=${CAIRN_SANITIZE} -fno-sanitize-recover=all)
  # vptr asks for type information that SOCI keeps hidden in its library.
  target_compile_options(cairn_flags INTERFACE -fno-sanitize=vptr)
  target_link_options(cairn_flags INTERFACE -fsanitize=${CAIRN_SANITIZE})
  if(CAIRN_SANITIZE MATCHES "address")
    # Coverage counters for the fuzzers of tests/fuzz: without them in the libraries a fuzzer searches blind.
    target_compile_options(cairn_flags INTERFACE -fsanitize=fuzzer-no-link)
    target_link_options(cairn_flags INTERFACE -fsanitize=fuzzer-no-link)
  endif()
endif()

# PRECOMPILED: a header of its own in place of base/pch.h, for a folder where others are large and included nearly everywhere.
function(cairn_library name)
  cmake_parse_arguments(arg "" "PRECOMPILED" "SOURCES;HEADERS;PUBLIC;PRIVATE" ${ARGN})
  add_library(cairn_${name} STATIC ${arg_SOURCES})
  target_sources(cairn_${name} PUBLIC FILE_SET HEADERS BASE_DIRS ${CMAKE_SOURCE_DIR} FILES ${arg_HEADERS})
  target_link_libraries(cairn_${name} PUBLIC cairn_flags ${arg_PUBLIC} PRIVATE ${arg_PRIVATE})
  if(arg_PRECOMPILED)
    target_precompile_headers(cairn_${name} PRIVATE ${arg_PRECOMPILED})
  elseif(NOT name STREQUAL "base" AND NOT name STREQUAL "proto")
    target_precompile_headers(cairn_${name} REUSE_FROM cairn_base)
  endif()
endfunction()

function(cairn_unit_tests name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name}_tests ${arg_SOURCES})
  target_link_libraries(${name}_tests PRIVATE cairn_flags ${arg_LINK} GTest::gmock_main)
  target_precompile_headers(${name}_tests REUSE_FROM cairn_base)
  include(GoogleTest)
  gtest_discover_tests(${name}_tests DISCOVERY_MODE PRE_TEST TEST_PREFIX "${name}/" PROPERTIES LABELS unit)
endfunction()

# Programs through which kernel events flow: messages are made in one thread and freed in another, which glibc's malloc is slow at
# (docs/decisions/jemalloc.md). The sanitizers bring an allocator of their own.
function(cairn_fast_malloc target)
  if(NOT CAIRN_SANITIZE)
    target_link_libraries(${target} PRIVATE PkgConfig::JEMALLOC)
    target_sources(${target} PRIVATE ${PROJECT_SOURCE_DIR}/base/jemalloc.cc)
  endif()
endfunction()
