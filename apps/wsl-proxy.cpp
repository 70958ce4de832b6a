// wsl-proxy: makes the ports of the isolated namespace reachable in the default one. See src/wslproxy.
#include "wslproxy/wsl_proxy.hpp"

int main(int argc, char** argv) { return program::run<wslproxy::wsl_proxy>(argc, argv); }
