# Warnings are errors for our own code; every library links guestagent_warnings.
add_library(guestagent_warnings INTERFACE)
target_compile_options(guestagent_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Wold-style-cast -Woverloaded-virtual -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 reports these inside its own standard library and inside coroutine frames; they are wrong there.
  target_compile_options(guestagent_warnings INTERFACE
    -Wno-maybe-uninitialized -Wno-restrict -Wno-dangling-pointer -Wno-stringop-overflow -Wno-array-bounds
    -Wno-mismatched-new-delete)
  # Link-time optimisation takes the frames of one coroutine template in two files for two types.
  add_link_options(-Wno-odr)
endif()
