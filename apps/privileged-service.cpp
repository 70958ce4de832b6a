// privileged-service: opens on the host the ports that virtual machines publish. See src/programs/privileged_service.
#include "program/daemon.hpp"
#include "programs/privileged_service/privileged_service.hpp"

int main(int argc, char** argv) { return program::run<privileged_service::privileged_service>(argc, argv); }
