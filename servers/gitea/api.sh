# Settings from .env and requests to Gitea's API; sourced by ./setup and ./migrate.
#
# Credentials reach curl on its standard input, never as an argument: arguments are in the process list.

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
env_file=${ENV_FILE:-$here/.env}

fail() {
    printf '%s: %s\n' "$(basename -- "$0")" "$1" >&2
    exit 1
}

# Take the known settings from .env; the environment's own values win. The file is read, not executed.
load_settings() {
    local line key value
    if [[ -f $env_file ]]; then
        while IFS= read -r line || [[ -n $line ]]; do
            key=${line%%=*} value=${line#*=}
            case $key in
                GITEA_URL | GITEA_USERNAME | GITEA_PASSWORD | GITEA_TOKEN | GITEA_PORT)
                    value=${value#[\"\']} value=${value%[\"\']}
                    [[ -n ${!key:-} ]] || printf -v "$key" '%s' "$value"
                    ;;
            esac
        done <"$env_file"
    fi
    GITEA_URL=${GITEA_URL:-http://127.0.0.1:3000}
    GITEA_URL=${GITEA_URL%/}
    GITEA_USERNAME=${GITEA_USERNAME:-gitea}
    GITEA_PASSWORD=${GITEA_PASSWORD:-}
    GITEA_TOKEN=${GITEA_TOKEN:-}
    if [[ $GITEA_USERNAME$GITEA_PASSWORD$GITEA_TOKEN == *[[:cntrl:]\"\\]* ]]; then
        fail "credentials must hold no quotes, backslashes or control characters"
    fi
}

# Write one setting into .env, which only its owner can read.
save_setting() {
    local key=$1 value=$2 kept=''
    [[ -f $env_file ]] && kept=$(grep -v "^$key=" -- "$env_file" || true)
    (umask 077 && printf '%s\n' "$kept" "$key=$value" >"$env_file.new")
    mv -- "$env_file.new" "$env_file"
}

# add_field NAME TEXT: append a text field to the JSON object that is built in $body.
add_field() {
    local text=$2
    [[ $text != *[[:cntrl:]]* ]] || fail "control characters are not allowed in $1"
    text=${text//\\/\\\\}
    body+="${body:+,}\"$1\":\"${text//\"/\\\"}\""
}

# request METHOD PATH [password|token] [BODY]: sets $status and $reply; fails only if nobody answers.
request() {
    local method=$1 path=$2 method_of_auth=${3:-} body=${4:-} answer
    local config=("request = \"$method\"" "url = \"$GITEA_URL/api/v1$path\"")
    case $method_of_auth in
        password) config+=("user = \"$GITEA_USERNAME:$GITEA_PASSWORD\"") ;;
        token) config+=("header = \"Authorization: token $GITEA_TOKEN\"") ;;
    esac
    if [[ -n $body ]]; then
        body=${body//\\/\\\\}
        config+=("header = \"Content-Type: application/json\"" "data-binary = \"${body//\"/\\\"}\"")
    fi
    answer=$(
        printf '%s\n' "${config[@]}" |
            curl --config - --silent --show-error --noproxy '127.0.0.1,localhost,::1' \
                --max-time "${GITEA_TIMEOUT:-900}" --write-out '\n%{http_code}'
    ) || fail "no answer from $GITEA_URL"
    status=${answer##*$'\n'}
    reply=${answer%$'\n'*}
}

# The "message" of Gitea's error replies.
reply_message() {
    local message=${reply#*\"message\":\"}
    [[ $message != "$reply" ]] && printf '%s' "${message%%\",\"*}" || printf 'HTTP %s' "$status"
}
