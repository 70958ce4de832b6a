# Warnings are errors for our own code; every library links guestagent_warnings.
add_library(guestagent_warnings INTERFACE)
target_compile_options(guestagent_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Wold-style-cast -Woverloaded-virtual -Werror)
