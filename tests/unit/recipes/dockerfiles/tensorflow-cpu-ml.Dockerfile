# Image thesis: TensorFlow, CPU only, Jupyter, data science, Machine learning.
# Written by ds01 image create. Change it as you like: ds01 sees that you did, builds
# what you wrote, and writes over it only when you say --overwrite.
# ds01-recipe: {"framework": "tensorflow-cpu", "use_case": "ml"}
# ds01-hash: 161e71b2ed98fce93a0b71bf1d644486

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
# Framework: TensorFlow, CPU only.
RUN python -m pip install --no-cache-dir \
      'tensorflow-cpu'
# Jupyter.
RUN python -m pip install --no-cache-dir \
      'ipykernel==7.*' \
      'ipywidgets==8.*' \
      'jupyterhub==6.1.*' \
      'jupyterlab==4.*' \
 && printf '#!/opt/ds01/bin/python -s\nimport sys\nfrom jupyterhub.singleuser import main\nsys.exit(main())\n' > /opt/ds01/bin/jupyterhub-singleuser && chmod 755 /opt/ds01/bin/jupyterhub-singleuser
# Data science.
RUN python -m pip install --no-cache-dir \
      'matplotlib' \
      'pandas' \
      'scikit-learn' \
      'scipy' \
      'seaborn'
# What packages for Machine learning need of the system.
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
      'libgomp1' \
 && apt-get clean \
 && rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log
# Use case: Machine learning.
RUN python -m pip install --no-cache-dir \
      'lightgbm' \
      'optuna' \
      'xgboost'
# What is in it now: ds01 image save-from tells by this what came later.
RUN python -m pip list --format=freeze > /opt/ds01/packages.txt
# Containers run as whoever starts them; this user is for elsewhere.
ENV LANG=C.UTF-8 SHELL=/bin/bash HOME=/home/ds01
LABEL org.opencontainers.image.title="thesis" \
      org.opencontainers.image.description="TensorFlow, CPU only, Jupyter, data science, Machine learning" \
      org.opencontainers.image.base.name="ds01/base:bookworm"
EXPOSE 8888
# A Jupyter server that does not answer is not well; none at all is.
HEALTHCHECK --interval=5m --timeout=10s --start-period=2m CMD ["bash", "-c", "{ exec 3<>/dev/tcp/127.0.0.1/8888; } 2>/dev/null || exit 0; printf 'HEAD / HTTP/1.0\\r\\n\\r\\n' >&3; read -r -t 8 _ <&3"]
WORKDIR /workspace
USER 1000:1000
CMD ["jupyterhub-singleuser"]
