// wsl-proxy: makes the ports of the isolated namespace reachable in the default one. See src/programs/wsl_proxy.
#include "program/daemon.hpp"
#include "programs/wsl_proxy/wsl_proxy.hpp"

int main(int argc, char** argv) { return program::run<wsl_proxy::wsl_proxy>(argc, argv); }
