# Image thesis: JAX, CPU only, Jupyter, data science, Audio, 4 packages of your own, requirements.txt.
# Written by ds01 image create. Change it as you like: ds01 sees that you did, builds
# what you wrote, and writes over it only when you say --overwrite.
# ds01-recipe: {"framework": "jax-cpu", "use_case": "audio", "pip": ["numpy>=1.26,<3", "tomli; python_version < \"3.11\"", "gymnasium[mujoco]"], "apt": ["g++"], "requirements": ["requirements.txt", "base.txt"]}
# ds01-hash: 3ae8998b5a0b31036b230f03c5d17663

FROM ds01/base:bookworm AS tools
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

FROM tools AS packages
# Package index and certificates of the server, for this stage alone: the image
# is made from the next one. Outside DS01 leave the next two lines out.
COPY .ds01-host/ /run/host/
ENV PIP_CONFIG_FILE=/run/host/pip.conf
# The Python environment that all packages go into; it sees those of the base.
RUN python3 -m venv --system-site-packages /opt/ds01 \
 && { python3 -c 'import sysconfig; print(sysconfig.get_path("purelib"))'; echo /opt/ds01/platform; } \
      > "$(/opt/ds01/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/ds01.pth" \
 && /opt/ds01/bin/python -m pip install --no-cache-dir --upgrade pip
ENV PATH=/opt/ds01/bin:$PATH VIRTUAL_ENV=/opt/ds01
# Framework: JAX, CPU only.
RUN python -m pip install --no-cache-dir \
      'jax' \
      'flax' \
      'optax'
# Jupyter, and what the wizards of DS01 need.
RUN python -m pip install --no-cache-dir \
      'ipykernel==7.*' \
      'ipywidgets==8.*' \
      'jupyterhub==6.1.*' \
      'jupyterlab==4.*' \
      'httpx>=0.28' \
      'packaging>=24' \
      'platformdirs>=4.3' \
      'pydantic>=2.12' \
      'pyyaml>=6.0.2' \
      'rich>=13.9' \
      'typer>=0.15' \
      'websockets>=14' \
 && printf '#!/opt/ds01/bin/python -s\nimport sys\nfrom jupyterhub.singleuser import main\nsys.exit(main())\n' > /opt/ds01/bin/jupyterhub-singleuser && chmod 755 /opt/ds01/bin/jupyterhub-singleuser \
 && printf '#!/opt/ds01/bin/python -s\nimport sys\nfrom ds01_cli.main import main\nsys.exit(main())\n' > /opt/ds01/bin/ds01 && chmod 755 /opt/ds01/bin/ds01
# Data science.
RUN python -m pip install --no-cache-dir \
      'matplotlib' \
      'pandas' \
      'scikit-learn' \
      'scipy' \
      'seaborn'
# What packages for Audio need of the system.
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
      'ffmpeg' \
      'libsndfile1' \
 && apt-get clean \
 && rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log
# Packages of the system that you chose.
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
      'g++' \
 && apt-get clean \
 && rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log
# Use case: Audio.
RUN python -m pip install --no-cache-dir \
      'librosa' \
      'soundfile'
# Packages of the project, read whenever the image is built.
COPY ["requirements.txt", "/tmp/requirements/requirements.txt"]
COPY ["base.txt", "/tmp/requirements/base.txt"]
RUN python -m pip install --no-cache-dir --requirement /tmp/requirements/requirements.txt
# Packages that you chose.
RUN python -m pip install --no-cache-dir \
      'numpy>=1.26,<3' \
      'tomli; python_version < "3.11"' \
      'gymnasium[mujoco]'
# What is in it now: ds01 image save-from tells by this what came later.
RUN python -m pip list --format=freeze > /opt/ds01/packages.txt

FROM tools
# What packages for Audio need of the system.
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
      'ffmpeg' \
      'libsndfile1' \
 && apt-get clean \
 && rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log
# Packages of the system that you chose.
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
      'g++' \
 && apt-get clean \
 && rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log
# All packages, without what was needed to fetch them.
COPY --from=packages /opt/ds01 /opt/ds01
# What DS01 has to tell is shown in terminals and in JupyterLab.
COPY --from=ds01/starter:latest /etc/bash.bashrc /etc/bash.bashrc
COPY --from=ds01/starter:latest /usr/local/share/jupyter/labextensions/ds01-notices/ /opt/ds01/share/jupyter/labextensions/ds01-notices/
COPY --from=ds01/starter:latest /usr/local/etc/jupyter/jupyter_server_config.d/ds01_notices.json /opt/ds01/etc/jupyter/jupyter_server_config.d/
COPY --from=ds01/starter:latest /usr/local/lib/python3*/dist-packages/ds01_notices.py /opt/ds01/platform/
# Wizards for notebooks, and ds01 for terminals.
COPY --from=ds01/starter:latest /usr/local/lib/python3*/dist-packages/ds01_spawner /opt/ds01/platform/ds01_spawner/
COPY --from=ds01/starter:latest /usr/local/lib/python3*/dist-packages/ds01_cli /opt/ds01/platform/ds01_cli/
COPY --from=ds01/starter:latest /usr/local/lib/python3*/dist-packages/ds01_widgets /opt/ds01/platform/ds01_widgets/
ENV PATH=/opt/ds01/bin:$PATH VIRTUAL_ENV=/opt/ds01
# Containers run as whoever starts them; this user is for elsewhere.
ENV LANG=C.UTF-8 SHELL=/bin/bash HOME=/home/ds01
LABEL org.opencontainers.image.title="thesis" \
      org.opencontainers.image.description="JAX, CPU only, Jupyter, data science, Audio, 4 packages of your own, requirements.txt" \
      org.opencontainers.image.base.name="ds01/base:bookworm"
EXPOSE 8888
# A Jupyter server that does not answer is not well; none at all is.
HEALTHCHECK --interval=5m --timeout=10s --start-period=2m CMD ["bash", "-c", "{ exec 3<>/dev/tcp/127.0.0.1/8888; } 2>/dev/null || exit 0; printf 'HEAD / HTTP/1.0\\r\\n\\r\\n' >&3; read -r -t 8 _ <&3"]
WORKDIR /workspace
USER 1000:1000
CMD ["jupyterhub-singleuser"]
