# Fails when a test lies in FOLDER that the build does not list (in the file LISTED).
cmake_minimum_required(VERSION 3.22)
file(STRINGS "${LISTED}" listed)
file(GLOB_RECURSE found RELATIVE "${FOLDER}" "${FOLDER}/*_test.cc" "${FOLDER}/test_*.py")
foreach(test IN LISTS found)
  if(NOT test IN_LIST listed)
    message(SEND_ERROR "tests/${test} is not listed in tests/CMakeLists.txt")
  endif()
endforeach()
