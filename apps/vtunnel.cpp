// vtunnel: carries TCP between a virtual machine and its host over virtual sockets. See src/vtunnel.
#include "vtunnel/program.hpp"

int main(int argc, char** argv) { return vtunnel::run_program(argc, argv); }
