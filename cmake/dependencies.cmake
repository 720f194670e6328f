# Gives every library one name: dep::curl, dep::mbedtls, dep::cares, dep::sqlite, dep::nanopb,
# dep::inih, dep::deflate, dep::http_parser; with LIMPET_JOURNALD dep::zstd, dep::lz4; with
# LIMPET_PATTERNS dep::pcre2. Nothing is downloaded here.
#
#   LIMPET_DEPS=bundled  out of LIMPET_DEPS_PREFIX, which tools/build-deps made (tools/build gives it)
#   LIMPET_DEPS=system   out of the system or the sysroot, for distributions and build systems. Some have
#                        to be built as cmake/deps/ and tools/build-deps do: inih with the same
#                        definitions, curl with mbedTLS and c-ares, mbedTLS with its certificate
#                        callback and own malloc, SQLite with MEMSYS5.

set(LIMPET_DEPS bundled CACHE STRING "Where the libraries come from: bundled or system")
set_property(CACHE LIMPET_DEPS PROPERTY STRINGS bundled system)
set(LIMPET_DEPS_PREFIX "" CACHE PATH "The folder that tools/build-deps printed (for bundled)")

# What users of a header have to define as its library did: nanopb's only where we build it.
set(_limpet_nanopb_definitions PB_BUFFER_ONLY=1 PB_NO_ERRMSG=1)
set(_limpet_inih_definitions
  INI_HANDLER_LINENO=1
  INI_CALL_HANDLER_ON_NEW_SECTION=1
  INI_ALLOW_NO_VALUE=1
  INI_ALLOW_INLINE_COMMENTS=0
  INI_ALLOW_MULTILINE=0
  INI_STOP_ON_FIRST_ERROR=0
  INI_USE_STACK=1
  INI_MAX_LINE=4096)

# Adds target dep::<name> for the static libraries `LIBS` of the prefix, users before used.
# Imported targets, since CMake then keeps each archive before those it needs.
function(_limpet_bundled name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "LIBS;DEFINITIONS;NEEDS")
  list(REVERSE arg_LIBS)
  set(needs ${arg_NEEDS})
  foreach(lib IN LISTS arg_LIBS)
    set(file "${LIMPET_DEPS_PREFIX}/lib/lib${lib}.a")
    if(NOT EXISTS "${file}")
      message(FATAL_ERROR "${file} is missing: run tools/build, which builds the libraries first")
    endif()
    add_library(dep_lib_${lib} STATIC IMPORTED GLOBAL)
    set_target_properties(dep_lib_${lib} PROPERTIES
      IMPORTED_LOCATION "${file}"
      INTERFACE_LINK_LIBRARIES "${needs}")
    set(needs dep_lib_${lib})
  endforeach()
  add_library(dep_${name} INTERFACE)
  add_library(dep::${name} ALIAS dep_${name})
  target_include_directories(dep_${name} SYSTEM INTERFACE "${LIMPET_DEPS_PREFIX}/include")
  target_compile_definitions(dep_${name} INTERFACE ${arg_DEFINITIONS})
  target_link_libraries(dep_${name} INTERFACE ${needs})
endfunction()

if(LIMPET_DEPS STREQUAL "bundled")
  if(NOT LIMPET_DEPS_PREFIX)
    message(FATAL_ERROR "LIMPET_DEPS_PREFIX is not set: use tools/build [PRESET], "
      "or give the folder that `tools/build-deps PRESET` prints, or -DLIMPET_DEPS=system")
  endif()
  file(STRINGS "${LIMPET_DEPS_PREFIX}/versions" _lines)
  foreach(line IN LISTS _lines)
    string(REPLACE " " ";" line "${line}")
    list(GET line 0 _name)
    list(GET line 1 LIMPET_VERSION_${_name})
  endforeach()
  _limpet_bundled(cares LIBS cares DEFINITIONS CARES_STATICLIB)
  _limpet_bundled(mbedtls LIBS mbedtls mbedx509 mbedcrypto
    DEFINITIONS "MBEDTLS_CONFIG_FILE=\"limpet_mbedtls_config.h\"")
  _limpet_bundled(curl LIBS curl DEFINITIONS CURL_STATICLIB NEEDS dep::mbedtls dep::cares)
  _limpet_bundled(sqlite LIBS sqlite3)
  _limpet_bundled(deflate LIBS deflate)
  _limpet_bundled(http_parser LIBS http_parser DEFINITIONS HTTP_PARSER_STRICT=1)
  if(LIMPET_JOURNALD)
    _limpet_bundled(zstd LIBS zstd)
    _limpet_bundled(lz4 LIBS lz4)
  endif()
  if(LIMPET_PATTERNS)
    _limpet_bundled(pcre2 LIBS pcre2-8 DEFINITIONS PCRE2_STATIC)
  endif()
  _limpet_bundled(inih LIBS inih
    DEFINITIONS ${_limpet_inih_definitions} LIMPET_INIH_VERSION="${LIMPET_VERSION_inih}")
  _limpet_bundled(nanopb LIBS protobuf-nanopb DEFINITIONS ${_limpet_nanopb_definitions})
  set(LIMPET_NANOPB_GENERATOR
    "${LIMPET_DEPS_PREFIX}/share/nanopb/generator/nanopb_generator.py" CACHE INTERNAL "")
elseif(LIMPET_DEPS STREQUAL "system")
  # Adds target dep::<name> from pkg-config's `module` if it knows it, else by header and library.
  find_package(PkgConfig)
  function(_limpet_system name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "MODULE;HEADER" "LIBS;DEFINITIONS;NEEDS")
    add_library(dep_${name} INTERFACE)
    add_library(dep::${name} ALIAS dep_${name})
    target_compile_definitions(dep_${name} INTERFACE ${arg_DEFINITIONS})
    target_link_libraries(dep_${name} INTERFACE ${arg_NEEDS})
    if(arg_MODULE AND PKG_CONFIG_FOUND)
      pkg_check_modules(${name} QUIET IMPORTED_TARGET ${arg_MODULE})
      if(TARGET PkgConfig::${name})
        target_link_libraries(dep_${name} INTERFACE PkgConfig::${name})
        set(LIMPET_VERSION_${name} "${${name}_VERSION}" PARENT_SCOPE)
        return()
      endif()
    endif()
    find_path(LIMPET_${name}_INCLUDE_DIR NAMES ${arg_HEADER} REQUIRED)
    target_include_directories(dep_${name} SYSTEM INTERFACE ${LIMPET_${name}_INCLUDE_DIR})
    foreach(lib IN LISTS arg_LIBS)
      find_library(LIMPET_${lib}_LIBRARY NAMES ${lib} REQUIRED)
      target_link_libraries(dep_${name} INTERFACE ${LIMPET_${lib}_LIBRARY})
    endforeach()
  endfunction()
  _limpet_system(cares MODULE libcares HEADER ares.h LIBS cares)
  _limpet_system(mbedtls HEADER mbedtls/ssl.h LIBS mbedtls mbedx509 mbedcrypto)
  _limpet_system(curl MODULE libcurl HEADER curl/curl.h LIBS curl NEEDS dep::mbedtls dep::cares)
  _limpet_system(sqlite MODULE sqlite3 HEADER sqlite3.h LIBS sqlite3)
  _limpet_system(deflate MODULE libdeflate HEADER libdeflate.h LIBS deflate)
  _limpet_system(http_parser HEADER http_parser.h LIBS http_parser)
  if(LIMPET_JOURNALD)
    _limpet_system(zstd MODULE libzstd HEADER zstd.h LIBS zstd)
    _limpet_system(lz4 MODULE liblz4 HEADER lz4.h LIBS lz4)
  endif()
  if(LIMPET_PATTERNS)
    _limpet_system(pcre2 MODULE libpcre2-8 HEADER pcre2.h LIBS pcre2-8)
  endif()
  _limpet_system(inih MODULE inih HEADER ini.h LIBS inih DEFINITIONS ${_limpet_inih_definitions})
  if(NOT LIMPET_VERSION_inih)
    set(LIMPET_VERSION_inih "system")
  endif()
  target_compile_definitions(dep_inih INTERFACE LIMPET_INIH_VERSION="${LIMPET_VERSION_inih}")
  _limpet_system(nanopb HEADER pb_encode.h LIBS protobuf-nanopb)
  find_program(LIMPET_NANOPB_GENERATOR NAMES nanopb_generator nanopb_generator.py REQUIRED)
else()
  message(FATAL_ERROR "LIMPET_DEPS is '${LIMPET_DEPS}', expected bundled or system")
endif()

# The system's own interpreter first: python3-protobuf is installed for it.
find_program(LIMPET_PYTHON NAMES python3 PATHS /usr/bin NO_DEFAULT_PATH)
find_program(LIMPET_PYTHON NAMES python3 REQUIRED)

# limpet_proto(TARGET file.proto): compiles a .proto, with file.options beside it, by nanopb into
# TARGET, and lets TARGET and its users include "folder/file.pb.h".
function(limpet_proto target proto)
  get_filename_component(proto "${proto}" ABSOLUTE)
  get_filename_component(folder "${proto}" DIRECTORY)
  get_filename_component(name "${proto}" NAME_WE)
  set(options "${folder}/${name}.options")
  get_filename_component(part "${folder}" NAME)
  set(out "${CMAKE_CURRENT_BINARY_DIR}/proto/${part}")
  file(MAKE_DIRECTORY "${out}")
  if(NOT EXISTS "${options}")
    set(options "")
  endif()
  if(LIMPET_NANOPB_GENERATOR MATCHES "\\.py$")
    set(generator "${LIMPET_PYTHON}" -B "${LIMPET_NANOPB_GENERATOR}")
  else()
    set(generator "${LIMPET_NANOPB_GENERATOR}")
  endif()
  add_custom_command(
    OUTPUT "${out}/${name}.pb.c" "${out}/${name}.pb.h"
    COMMAND ${generator} --quiet --strip-path --output-dir=${out} -I ${folder} ${name}.proto
    DEPENDS "${proto}" ${options} "${LIMPET_NANOPB_GENERATOR}"
    WORKING_DIRECTORY "${folder}"
    COMMENT "nanopb ${name}.proto"
    VERBATIM)
  target_sources(${target} PRIVATE "${out}/${name}.pb.c" "${out}/${name}.pb.h")
  target_include_directories(${target} SYSTEM PUBLIC "${CMAKE_CURRENT_BINARY_DIR}/proto")
  target_link_libraries(${target} PUBLIC dep::nanopb)
endfunction()
