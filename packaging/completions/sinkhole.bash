# Completion of sinkhole's command line for bash. The words come from the program itself, so they fit its version.

_sinkhole()
{
    local cur prev command i
    cur=${COMP_WORDS[COMP_CWORD]}
    prev=${COMP_WORDS[COMP_CWORD - 1]}
    COMPREPLY=()

    command=
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
            -*) ;;
            *)
                command=${COMP_WORDS[i]}
                break
                ;;
        esac
    done

    case $prev in
        --config | --password-file | --hosts-file | -o | --output)
            mapfile -t COMPREPLY < <(compgen -f -- "$cur")
            return
            ;;
        --state-dir)
            mapfile -t COMPREPLY < <(compgen -d -- "$cur")
            return
            ;;
        --block-mode)
            mapfile -t COMPREPLY < <(compgen -W "null nxdomain nodata refused" -- "$cur")
            return
            ;;
        --log-level)
            mapfile -t COMPREPLY < <(compgen -W "error warning info debug" -- "$cur")
            return
            ;;
        --log-format)
            mapfile -t COMPREPLY < <(compgen -W "text json" -- "$cur")
            return
            ;;
    esac

    if [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$("${COMP_WORDS[0]}" help "${command:-run}" --words 2>/dev/null)" -- "$cur")
    elif [[ -z $command || ($command == help && $prev == help) ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$("${COMP_WORDS[0]}" help --words 2>/dev/null)" -- "$cur")
    elif [[ $command == config ]]; then
        if [[ $prev == check ]]; then
            mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        else
            mapfile -t COMPREPLY < <(compgen -W "check services" -- "$cur")
        fi
    elif [[ $command == rules && $prev == rules ]]; then
        mapfile -t COMPREPLY < <(compgen -W "export import" -- "$cur")
    elif [[ $command == rules || $command == restore || $command == compile ]]; then
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
    fi
}

complete -o default -F _sinkhole sinkhole
