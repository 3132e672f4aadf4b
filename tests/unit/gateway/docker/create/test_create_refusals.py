"""What nobody gets with `POST /containers/create`, and what they are told: one row an attempt."""

# ruff: noqa: E501 - a table is read by the row

import json
from typing import Any

import pytest

from ds01_spawner.domain.errors import Forbidden, InvalidRequest, QuotaExceeded, Refused
from fakes.docker_askers import GIB, IMAGE_USER_LIMITS, asked, body

TIB = 1024 * GIB


def _mount(**fields: Any) -> dict[str, Any]:
    return {"Mounts": [{"Target": "/m", **fields}]}


def _volume(**options: Any) -> dict[str, Any]:
    return _mount(Type="volume", Source="v", VolumeOptions=options)


def _publish(address: str, port: str) -> dict[str, Any]:
    return {"PortBindings": {"80/tcp": [{"HostIp": address, "HostPort": port}]}}


def _ulimit(name: str, value: int) -> dict[str, Any]:
    return {"Ulimits": [{"Name": name, "Soft": value, "Hard": value}]}


def _rate(rate: int) -> list[dict[str, Any]]:
    return [{"Path": "/dev/sdz", "Rate": rate}]


# fmt: off
HOST: list[tuple[dict[str, Any], type[Refused], str]] = [
    ({"Privileged": True},                                  Forbidden, "--privileged would give a container the whole server"),
    ({"privileged": True},                                  Forbidden, "GPUs come with --gpus"),
    ({"PidMode": "host"},                                   Forbidden, "--pid would show"),
    ({"PidMode": "container:web"},                          Forbidden, "--pid would show"),
    ({"IpcMode": "host"},                                   Forbidden, "--ipc 'host' would share memory"),
    ({"IpcMode": "container:web"},                          Forbidden, "--shm-size makes"),
    ({"UTSMode": "host"},                                   Forbidden, "--uts host would let a container rename the server"),
    ({"UsernsMode": "host"},                                Forbidden, "--userns host"),
    ({"CgroupnsMode": "host"},                              Forbidden, "--cgroupns host"),
    ({"NetworkMode": "host"},                               Forbidden, "--network host .* server's own network.* -p 8080:80"),
    ({"Cgroup": "container:web"},                           Forbidden, "cannot join the cgroup of another"),
    ({"CgroupParent": "/"},                                 Forbidden, "--cgroup-parent is set by the platform"),
    ({"cgroupparent": "/ds01/student/bob"},                 Forbidden, "where your limits are"),
    ({"Devices": [{"PathOnHost": "/dev/nvidia0", "PathInContainer": "/dev/nvidia0", "CgroupPermissions": "rwm"}]}, Forbidden, "--device would give .* --gpus"),
    ({"DeviceCgroupRules": ["a *:* rwm"]},                  Forbidden, "--device-cgroup-rule"),
    ({"DeviceRequests": [{"Driver": "amd", "Count": 1}]},   InvalidRequest, "no devices of the driver 'amd'"),
    ({"DeviceRequests": [{"Driver": "cdi", "DeviceIDs": ["vendor.com/net=all"]}]}, InvalidRequest, "'vendor.com/net=all' cannot be given"),
    ({"DeviceRequests": [{"Count": 65}]},                   InvalidRequest, "65 GPU slots"),
    ({"DeviceRequests": [{"Count": 1, "Capabilities": [["tpu"]]}]}, InvalidRequest, "capability 'tpu'"),
    ({"CapAdd": ["SYS_ADMIN"]},                             Forbidden, "--cap-add SYS_ADMIN is not available.* run as you"),
    ({"CapAdd": ["CHOWN"]},                                 Forbidden, "--cap-add CHOWN is not available"),
    ({"CapAdd": "ALL"},                                     Forbidden, "--cap-add ALL"),
    ({"SecurityOpt": ["seccomp=unconfined"]},               Forbidden, "'seccomp=unconfined' would weaken"),
    ({"SecurityOpt": ["apparmor=unconfined"]},              Forbidden, "would weaken"),
    ({"SecurityOpt": ["label=disable"]},                    Forbidden, "would weaken"),
    ({"SecurityOpt": ["no-new-privileges:false"]},          Forbidden, "no-new-privileges is set anyhow"),
    ({"SecurityOpt": ["systempaths=unconfined"]},           Forbidden, "would weaken"),
    ({"MaskedPaths": []},                                   Forbidden, "MaskedPaths .* open parts of the kernel"),
    ({"ReadonlyPaths": []},                                 Forbidden, "ReadonlyPaths"),
    ({"ReadonlyPaths": ["/proc/sys"]},                      Forbidden, "ReadonlyPaths"),
    ({"Sysctls": {"net.ipv4.ip_forward": "1"}},             Forbidden, "--sysctl would change how the kernel works"),
    ({"\u017fy\u017fctl\u017f": {"kernel.msgmax": "1"}},    Forbidden, "--sysctl"),
    ({"OomKillDisable": True},                              Forbidden, "--oom-kill-disable would let a container freeze the server"),
    ({"OomScoreAdj": -1000},                                Forbidden, "--oom-score-adj is set by the platform"),
    ({"Runtime": "kata"},                                   Forbidden, "The runtime 'kata' is not available"),
    ({"StorageOpt": {"size": "1t"}},                        Forbidden, "--storage-opt"),
    ({"VolumeDriver": "nfs"},                               Forbidden, "driver `local`.*--volume-driver"),
    ({"Annotations": {"run.oci.keep_original_groups": "1"}}, Forbidden, "--annotation"),
    ({"Isolation": "hyperv"},                               Forbidden, "Windows"),
    ({"CpuRealtimeRuntime": 950_000},                       Forbidden, "Real-time scheduling would starve"),
    ({"\u212aernelMemory": 10**9},                          Forbidden, "--kernel-memory"),
    ({"BlkioWeightDevice": [{"Path": "/dev/sda", "Weight": 900}]}, Forbidden, "--blkio-weight"),
    ({"GroupAdd": ["0"]},                                   Forbidden, "--group-add '0': you are not in that group"),
    ({"GroupAdd": ["shadow"]},                              Forbidden, "you are not in that group"),
    ({"RestartPolicy": {"Name": "always"}},                 Forbidden, "--restart always .* on-failure:5"),
    ({"RestartPolicy": {"Name": "unless-stopped"}},         Forbidden, "--restart unless-stopped"),
    ({"RestartPolicy": {"Name": "sometimes"}},              InvalidRequest, "no restart policy 'sometimes'"),
    ({"LogConfig": {"Type": "syslog", "Config": {"syslog-address": "udp://10.0.0.1"}}}, Forbidden, "'syslog' .* past the platform"),
    ({"LogConfig": {"Type": "json-file", "Config": {"path": "/x"}}}, Forbidden, "'path'"),
    (_ulimit("rtprio", 99),                                 Forbidden, "--ulimit rtprio=99:99"),
    (_ulimit("nofile", 2**20 + 1),                          Forbidden, "Ask for 1048576 or less"),
    (_ulimit("nproc", -1),                                  Forbidden, "--ulimit nproc"),
    (_ulimit("everything", 1),                              InvalidRequest, "no ulimit 'everything'"),
    (_publish("10.0.0.5", "8080"),                          Forbidden, "cannot be published on '10.0.0.5'"),
    (_publish("", "80"),                                    Forbidden, "Port 80 .* yours begin at 1024"),
    (_publish("", "1000-2000"),                             Forbidden, "Port 1000"),
    (_publish("", "99999"),                                 InvalidRequest, "'99999' is not a port"),
    ({"Dns": ["8.8.8.8; rm"]},                              InvalidRequest, "--dns '8.8.8.8; rm' is not an IP address"),
    ({"ExtraHosts": ["a:1.2.3.4\n"]},                       InvalidRequest, "is not NAME:ADDRESS"),
    ({"Binds": ["/home/alice:/proc/sys"]},                  Forbidden, "Nothing can be mounted at '/proc/sys'"),
    ({"Binds": ["/home/alice:/run/../run//ds01/x"]},        Forbidden, "'/run/ds01/x'"),
    ({"Binds": ["/dev/null:/var/run/nvidia-container-devices/all"]}, Forbidden, "nvidia-container-devices"),
    ({"Binds": ["/home/alice:/"]},                          InvalidRequest, "at / of a container"),
    ({"Binds": ["/home/alice:/a/.."]},                      InvalidRequest, "at / of a container"),
    ({"Binds": ["/home/alice:/a:shared"]},                  Forbidden, "mount option 'shared'"),
    ({"Binds": ["/home/alice:/a:rslave"]},                  Forbidden, "mount option 'rslave'"),
    ({"Binds": ["../x:/a"]},                                InvalidRequest, "neither an absolute path"),
    ({"Binds": ["data._.bob:/a"]},                          InvalidRequest, "cannot name anything"),
    ({"Binds": ["/a:/b:ro:rw"]},                            InvalidRequest, "SOURCE:TARGET"),
    ({"Binds": ["/a:/m", "/b:/m"]},                         InvalidRequest, "at one place"),
    (_mount(Type="bind", Source="/a", BindOptions={"Propagation": "rshared"}), Forbidden, "propagation 'rshared'"),
    (_mount(Type="bind", Source="a"),                       InvalidRequest, "not an absolute path"),
    (_mount(Type="bind", Source="/a", BindOptions={"Later": 1}), Forbidden, r"BindOptions\.Later is not known"),
    (_mount(Type="npipe", Source="x"),                      Forbidden, "type 'npipe'"),
    (_mount(Type="cluster", Source="x"),                    Forbidden, "type 'cluster'"),
    (_mount(Type="image", Source="x"),                      Forbidden, "type 'image'"),
    (_volume(DriverConfig={"Name": "local", "Options": {"type": "none", "o": "bind", "device": "/"}}), Forbidden, "no driver options.* type=bind"),
    (_volume(DriverConfig={"Name": "nfs"}),                 Forbidden, "driver `local`"),
    (_volume(Subpath="../.."),                              Forbidden, "A part of a volume"),
    ({"Tmpfs": {"/x": "suid,dev"}},                         Forbidden, "tmpfs option 'suid'"),
    ({"Tmpfs": {"/sys/fs": ""}},                            Forbidden, "'/sys/fs'"),
    (_mount(Type="tmpfs", TmpfsOptions={"Options": [["dev"]]}), Forbidden, "tmpfs option 'dev'"),
    ({"VolumesFrom": ["a/b"]},                              InvalidRequest, "cannot name a container"),
    ({"Links": ["a/../b:x"]},                               InvalidRequest, "cannot name a container"),
    ({"NetworkMode": "container:a b"},                      InvalidRequest, "cannot name a container"),
    ({"NetworkMode": "net._.bob"},                          InvalidRequest, "cannot name anything"),
    ({"Memory": 64 * GIB},                                  QuotaExceeded, "64 GiB of memory; your limit is 32 GiB per container. Ask for --memory 32g or less, or leave it out"),
    ({"Memory": 16 * GIB, "MemorySwap": TIB},               QuotaExceeded, "1024 GiB of memory and swap; your limit is 40 GiB"),
    ({"MemoryReservation": 33 * GIB},                       QuotaExceeded, "in reserve"),
    ({"NanoCpus": 9 * 10**9},                               QuotaExceeded, "9 CPUs; your limit is 8 .*--cpus 8"),
    ({"CpuPeriod": 50_000, "CpuQuota": 500_000},            QuotaExceeded, "10 CPUs; your limit is 8"),
    ({"ShmSize": 9 * GIB},                                  QuotaExceeded, "9 GiB of shared memory; your limit is 8 GiB"),
    ({"PidsLimit": 5000},                                   QuotaExceeded, "5000 processes; your limit is 4096"),
    ({"BlkioDeviceReadBps": _rate(TIB)},                    QuotaExceeded, "1024 GiB read a second; your limit is 500 MiB .*--device-read-bps 500m"),
    ({"BlkioDeviceWriteBps": _rate(TIB)},                   QuotaExceeded, "written a second"),
    ({"BlkioDeviceReadIOps": _rate(1)},                     Forbidden, "--device-read-bps"),
    ({"CpuShares": 4096},                                   InvalidRequest, "--cpu-shares 4096 .* 2 to 1024"),
    ({"CpusetCpus": "0-3;x"},                               InvalidRequest, "CpusetCpus cannot be '0-3;x'"),
    ({"Memory": 1024},                                      InvalidRequest, "--memory 1024 is too little; ask for 6m or more"),
    ({"Memory": "32g"},                                     InvalidRequest, r"HostConfig\.Memory must be a whole number; found '32g'"),
    ({"Later": {"x": 1}},                                   Forbidden, r"HostConfig\.Later is not known here"),
]

CONFIG: list[tuple[dict[str, Any], type[Refused], str]] = [
    ({"Privileged": True},                                  Forbidden, "Privileged is not known here"),
    ({"Memory": 64 * GIB},                                  Forbidden, "Memory is not known here"),
    ({"Binds": ["/:/host"]},                                Forbidden, "Binds is not known here"),
    ({"hostconfig": {"Privileged": True}},                  InvalidRequest, "hostconfig is given twice"),
    ({"Ho\u017ftConfig": {"Privileged": True}},             InvalidRequest, "given twice"),
    ({"Runtime": "kata"},                                   Forbidden, "The runtime 'kata'"),
    ({"MacAddress": "02:42:ac:11:00:02"},                   Forbidden, "--mac-address"),
    ({"User": "root"},                                      Forbidden, r"--user 'root': containers run as you, alice \(1001:1002\)"),
    ({"User": "0:0"},                                       Forbidden, "never as root"),
    ({"User": "alice:0"},                                   Forbidden, "--user alice:0: 0 is not one of your groups"),
    ({"User": "1001:27"},                                   Forbidden, r"--user 1001:27: 27 is not one of your groups \(1002, 2000\)"),
    ({"User": "1001:docker"},                               Forbidden, "--user 1001:docker: docker is not one"),
    ({"Image": ""},                                         InvalidRequest, "No image is given"),
    ({"Env": ["=x"]},                                       InvalidRequest, "has no name"),
    ({"WorkingDir": "x"},                                   InvalidRequest, "not an absolute path"),
    ({"Hostname": "a b"},                                   InvalidRequest, "cannot be a host name"),
    ({"StopTimeout": 100_000},                              Forbidden, "100000 s"),
    ({"StopTimeout": -1},                                   Forbidden, "-1 s"),
    ({"StopSignal": "rm -rf"},                              InvalidRequest, "not a signal"),
    ({"Healthcheck": {"Test": ["NONE"], "Interval": 10**6}}, InvalidRequest, "Interval"),
    ({"Volumes": {"/proc": {}}},                            Forbidden, "'/proc'"),
    ({"ExposedPorts": {"80/x": {}}},                        InvalidRequest, "not a port"),
    ({"Labels": {"ds01.wait": "soon"}},                     InvalidRequest, "ds01.wait=soon .* ds01.wait=15m"),
    ({"Labels": {"ds01.wait": "30d"}},                      InvalidRequest, "24h or less"),
    ({"Labels": {"ds01.gpu": "huge"}},                      InvalidRequest, "'huge' is not a GPU size"),
    ({"Labels": {"ds01.project": "a/b"}},                   InvalidRequest, "cannot name a project"),
    ({"NetworkingConfig": {"EndpointsConfig": {"host": {}}}}, Forbidden, "server's own network"),
    ({"NetworkingConfig": {"EndpointsConfig": {"n": {"MacAddress": "02:42:ac:11:00:02"}}}}, Forbidden, "--mac-address"),
    ({"NetworkingConfig": {"EndpointsConfig": {"n": {"DriverOpts": {"a": "b"}}}}}, Forbidden, "Driver options"),
    ({"NetworkingConfig": {"EndpointsConfig": {"default": {"IPAMConfig": {"IPv4Address": "172.17.0.9"}}}}}, Forbidden, "fixed address"),
    ({"NetworkingConfig": {"EndpointsConfig": {"n": {"IPAMConfig": {"IPv6Address": "fe80::1"}}}}}, Forbidden, "fixed address"),
    ({"NetworkingConfig": {"EndpointsConfig": {"n": {"IPAMConfig": {"LinkLocalIPs": ["169.254.169.254"]}}}}}, Forbidden, "fixed address"),
    ({"NetworkingConfig": {"EndpointsConfig": {"n": {"IPAMConfig": {"IPv4Address": "10.0.0.999"}}}}}, InvalidRequest, "not an IPv4 address"),
    ({"Later": 1},                                          Forbidden, "Later is not known here"),
]

IMAGE_USER: list[tuple[dict[str, Any], type[Refused], str]] = [
    ({"Binds": ["/home/alice:/work"]},                      Forbidden, "no folder of the server .* Use a volume"),
    (_mount(Type="bind", Source="/home/alice"),             Forbidden, "no folder of the server"),
    ({"VolumesFrom": ["web"]},                              Forbidden, "no folder of the server"),
    ({"CapAdd": ["SYS_ADMIN"]},                             Forbidden, "--cap-add SYS_ADMIN .* there are CHOWN"),
    ({"CapAdd": ["cap_net_raw"]},                           Forbidden, "--cap-add NET_RAW"),
    ({"CapAdd": ["ALL"]},                                   Forbidden, "--cap-add ALL"),
    ({"GroupAdd": ["docker"]},                              InvalidRequest, "by its number"),
    ({"Privileged": True},                                  Forbidden, "--privileged"),
]
# fmt: on


def _id(row: tuple[dict[str, Any], type[Refused], str]) -> str:
    return json.dumps(row[0])[:60]


@pytest.mark.parametrize(("host", "error", "words"), HOST, ids=map(_id, HOST))
def test_is_refused_in_host_config(host: dict[str, Any], error: type[Refused], words: str) -> None:
    value = body()
    for name in host:  # said once, in whatever spelling
        value["HostConfig"] = {
            key: each
            for key, each in value["HostConfig"].items()
            if key.lower() != name.replace("\u017f", "s").replace("\u212a", "k").lower()
        }
    value["HostConfig"].update(host)
    with pytest.raises(error, match=f"(?s){words}") as caught:
        asked(value)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(("config", "error", "words"), CONFIG, ids=map(_id, CONFIG))
def test_is_refused_beside_host_config(
    config: dict[str, Any], error: type[Refused], words: str
) -> None:
    with pytest.raises(error, match=f"(?s){words}") as caught:
        asked(body(**config))
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(("host", "error", "words"), IMAGE_USER, ids=map(_id, IMAGE_USER))
def test_is_refused_to_an_image_user(
    host: dict[str, Any], error: type[Refused], words: str
) -> None:
    with pytest.raises(error, match=f"(?s){words}"):
        asked(body(host), IMAGE_USER_LIMITS)


@pytest.mark.parametrize(
    ("name", "words"),
    [("web._.bob", "cannot name"), ("../x", "cannot name"), ("-x", "cannot name"), ("a b", "name")],
)
def test_a_name_that_reaches_others_is_refused(name: str, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        asked(body(), query={"name": [name]})


def test_two_names_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="name is given twice"):
        asked(body(), query={"name": ["a", "b"]})
