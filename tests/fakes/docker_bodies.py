"""Bodies as real Docker clients send them."""

import json
from typing import Any

# docker 28.2.2: `docker create busybox true`
DOCKER_CLI: dict[str, Any] = json.loads(
    """
{"Hostname":"","Domainname":"","User":"","AttachStdin":false,"AttachStdout":true,
"AttachStderr":true,"Tty":false,"OpenStdin":false,"StdinOnce":false,"Env":null,"Cmd":["true"],
"Image":"busybox","Volumes":{},"WorkingDir":"","Entrypoint":null,"OnBuild":null,"Labels":{},
"HostConfig":{"Binds":null,"ContainerIDFile":"","LogConfig":{"Type":"","Config":{}},
"NetworkMode":"default","PortBindings":{},"RestartPolicy":{"Name":"no","MaximumRetryCount":0},
"AutoRemove":false,"VolumeDriver":"","VolumesFrom":null,"ConsoleSize":[0,0],"CapAdd":null,
"CapDrop":null,"CgroupnsMode":"","Dns":[],"DnsOptions":[],"DnsSearch":[],"ExtraHosts":null,
"GroupAdd":null,"IpcMode":"","Cgroup":"","Links":null,"OomScoreAdj":0,"PidMode":"",
"Privileged":false,"PublishAllPorts":false,"ReadonlyRootfs":false,"SecurityOpt":null,"UTSMode":"",
"UsernsMode":"","ShmSize":0,"Isolation":"","CpuShares":0,"Memory":0,"NanoCpus":0,
"CgroupParent":"","BlkioWeight":0,"BlkioWeightDevice":[],"BlkioDeviceReadBps":[],
"BlkioDeviceWriteBps":[],"BlkioDeviceReadIOps":[],"BlkioDeviceWriteIOps":[],"CpuPeriod":0,
"CpuQuota":0,"CpuRealtimePeriod":0,"CpuRealtimeRuntime":0,"CpusetCpus":"","CpusetMems":"",
"Devices":[],"DeviceCgroupRules":null,"DeviceRequests":null,"MemoryReservation":0,"MemorySwap":0,
"MemorySwappiness":-1,"OomKillDisable":false,"PidsLimit":0,"Ulimits":[],"CpuCount":0,
"CpuPercent":0,"IOMaximumIOps":0,"IOMaximumBandwidth":0,"MaskedPaths":null,"ReadonlyPaths":null},
"NetworkingConfig":{"EndpointsConfig":{"default":{"IPAMConfig":null,"Links":null,"Aliases":null,
"MacAddress":"","DriverOpts":null,"GwPriority":0,"NetworkID":"","EndpointID":"","Gateway":"",
"IPAddress":"","IPPrefixLen":0,"IPv6Gateway":"","GlobalIPv6Address":"","GlobalIPv6PrefixLen":0,
"DNSNames":null}}}}
"""
)

# docker-py 7: `client.containers.run("busybox", "true", detach=True, volumes=["/tmp:/t"])`
DOCKER_PY: dict[str, Any] = json.loads(
    """
{"Hostname":null,"Domainname":null,"ExposedPorts":null,"User":null,"Tty":false,"OpenStdin":false,
"StdinOnce":false,"AttachStdin":false,"AttachStdout":false,"AttachStderr":false,"Env":null,
"Cmd":["true"],"Image":"busybox","Volumes":{"/t":{}},"NetworkDisabled":false,"Entrypoint":null,
"WorkingDir":null,"HostConfig":{"NetworkMode":"default","Binds":["/tmp:/t"]},
"NetworkingConfig":null,"MacAddress":null,"Labels":null,"StopSignal":null,"Healthcheck":null,
"StopTimeout":null,"Runtime":null}
"""
)

# docker-compose 1.29 and Compose v2 say these beside the rest.
COMPOSE: dict[str, Any] = json.loads(
    """
{"Image":"busybox","Cmd":["sleep","60"],"Tty":false,"AttachStdout":true,"AttachStderr":true,
"Env":["A=1"],"Labels":{"com.docker.compose.project":"thesis","com.docker.compose.service":"web",
"com.docker.compose.oneoff":"False"},"ExposedPorts":{"80/tcp":{}},
"HostConfig":{"Binds":["/home/alice/thesis:/work:rw"],"NetworkMode":"thesis_default",
"PortBindings":{"80/tcp":[{"HostIp":"","HostPort":"8080"}]},"RestartPolicy":{"Name":"",
"MaximumRetryCount":0},"LogConfig":{"Type":"","Config":{}},"VolumesFrom":[],"Links":null,
"Mounts":[{"Type":"volume","Source":"thesis_data","Target":"/data","VolumeOptions":{}}]},
"NetworkingConfig":{"EndpointsConfig":{"thesis_default":{"Aliases":["web"],"IPAMConfig":{}}}}}
"""
)
