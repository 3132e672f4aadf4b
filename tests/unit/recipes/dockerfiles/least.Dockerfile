# Image thesis: CPU only.
# Written by ds01 image create. Change it as you like: ds01 sees that you did, builds
# what you wrote, and writes over it only when you say --overwrite.
# ds01-recipe: {"framework": "cpu", "jupyter": false, "data_science": false}
# ds01-hash: 6ffaae87dfb828d30a58fa72a72d87cf

FROM ds01/base:bookworm
# Tools that every image has: Python, a shell's usual programs, and what SSH needs.
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
      'ca-certificates' \
      'curl' \
      'git' \
      'less' \
      'nano' \
      'procps' \
      'python3' \
      'python3-venv' \
      'libnss-extrausers' \
      'openssh-server' \
      'rsync' \
 && apt-get clean \
 && rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log \
 && rm -f /etc/ssh/ssh_host_* \
 && sed -i -E 's/^(passwd|group):.*/\1: extrausers files/' /etc/nsswitch.conf \
 && mkdir -p /var/lib/extrausers \
 && ln -sf /run/ds01/ssh/passwd /run/ds01/ssh/group /var/lib/extrausers/ \
 && install -d -m 1777 /workspace /home/ds01 \
 && echo 'PATH=${DS01_PATH:-/opt/ds01/bin:$PATH}' > /etc/profile.d/ds01.sh
# The Python environment that all packages go into; it sees those of the base.
RUN python3 -m venv --system-site-packages /opt/ds01 \
 && { python3 -c 'import sysconfig; print(sysconfig.get_path("purelib"))'; echo /opt/ds01/platform; } \
      > "$(/opt/ds01/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/ds01.pth" \
 && /opt/ds01/bin/python -m pip install --no-cache-dir --upgrade pip
ENV PATH=/opt/ds01/bin:$PATH VIRTUAL_ENV=/opt/ds01
# What is in it now: ds01 image save-from tells by this what came later.
RUN python -m pip list --format=freeze > /opt/ds01/packages.txt
# Containers run as whoever starts them; this user is for elsewhere.
ENV LANG=C.UTF-8 SHELL=/bin/bash HOME=/home/ds01
LABEL org.opencontainers.image.title="thesis" \
      org.opencontainers.image.description="CPU only" \
      org.opencontainers.image.base.name="ds01/base:bookworm"
WORKDIR /workspace
USER 1000:1000
CMD ["bash"]
