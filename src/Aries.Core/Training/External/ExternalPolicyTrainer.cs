using System.Text.Json.Nodes;

namespace Aries;

/// <summary>Trains by a command: torchrun or accelerate with TRL or OpenRLHF, or any program that reads rows and writes a checkpoint folder.</summary>
/// <remarks>
/// <para>
/// The command gets a JSONL file of rows, a JSON file of its own settings, and the paths of <see cref="ExternalCommand"/>. Pairs are expanded by
/// <see cref="PreferencePairExtensions.ToRows"/>, so a trainer that knows nothing of refinement learns it too. What the command writes is its log; lines that hold
/// numbers become progress: lines of JSON or of a Python dictionary, and progress bars. A command that logs less than each step leaves steps out.
/// </para>
/// <para>
/// A checkpoint counts when its files are there and the loader reads every tensor. A training that failed, was cancelled (the command is killed with all that it
/// started) or whose process died goes on from the request's state folder: a command that ended well is not started again, one that did not gets its
/// <see cref="ExternalCommand.ResumeArguments"/>. A command that still runs because only this process died is killed first; a state folder that another training works in is refused.
/// </para>
/// </remarks>
/// <threadsafety>Every member may be called concurrently, with different outputs.</threadsafety>
public sealed class ExternalPolicyTrainer : IPolicyTrainer
{
    private static readonly string[][] NeededNames = [["model"], ["data", "data-folder"], ["output"], [CommandTexts.SeedName]];

    private readonly ExternalTrainerOptions _options;
    private readonly IPolicyModelLoader _loader;

    /// <summary>Creates a trainer.</summary>
    /// <param name="options">The commands and their settings; copied.</param>
    /// <param name="loader">Checks what the command made, by its fingerprint; the engine that will run it.</param>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    /// <exception cref="ArgumentException">An option is outside its range, or a command does not name what it needs.</exception>
    public ExternalPolicyTrainer(ExternalTrainerOptions options, IPolicyModelLoader loader)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(loader);
        options.Validate();
        (_options, _loader) = (options.Copy(), loader);
        CheckNames(_options.PreferenceCommand, nameof(ExternalTrainerOptions.PreferenceCommand));
        CheckNames(_options.SupervisedCommand, nameof(ExternalTrainerOptions.SupervisedCommand));
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentNullException"><paramref name="request"/> is null.</exception>
    /// <exception cref="ExternalTrainingException">The command cannot be started, failed, or left no checkpoint that can be used; or the state folder holds another request, or another training works in it.</exception>
    /// <exception cref="NotSupportedException">There is no command for it, or the command has no name for an adapter that the policy has.</exception>
    public Task<TrainingResult> TrainSupervisedAsync(
        SupervisedTrainingRequest request, Action<TrainingProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        CheckRequest(request, request.Examples.Count);
        ExternalCommand command = _options.SupervisedCommand
            ?? throw new NotSupportedException("Supervised training needs ExternalTrainerOptions.SupervisedCommand, and it is not set.");
        CheckCheckpoints(command, request.Policy, reference: null);
        return TrainAsync(
            command,
            request,
            reference: null,
            path => SupervisedRows.WriteAsync(path, request.Examples, request.Template, _options.Form, cancellationToken),
            progress,
            cancellationToken);
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentNullException"><paramref name="request"/> is null.</exception>
    /// <exception cref="ExternalTrainingException">The command cannot be started, failed, or left no checkpoint that can be used; or the state folder holds another request, or another training works in it.</exception>
    /// <exception cref="NotSupportedException">
    /// There is no command for it, the command has no name for the reference or for an adapter, or a pair has a soft label and <see cref="ExternalTrainerOptions.HonorsSoftLabels"/> is false.
    /// </exception>
    public Task<TrainingResult> TrainPreferencesAsync(
        PreferenceTrainingRequest request, Action<TrainingProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        CheckRequest(request, request.Pairs.Count);
        ExternalCommand command = _options.PreferenceCommand
            ?? throw new NotSupportedException("Preference training needs ExternalTrainerOptions.PreferenceCommand, and it is not set.");
        CheckCheckpoints(command, request.Policy, request.Reference);
        if (!_options.HonorsSoftLabels && request.Pairs.Any(pair => pair.ChosenProbability != 1))
        {
            throw new NotSupportedException(
                "A pair has a label probability other than 1, and HonorsSoftLabels is false. Set ChosenProbability to 1, or use a command that reads the column chosen_probability.");
        }

        PreferenceJsonlOptions form = new() { Form = _options.Form, IncludeDetails = _options.HonorsSoftLabels };
        return TrainAsync(
            command,
            request,
            request.Reference,
            path => PreferenceJsonl.WriteAsync(path, request.Pairs.ToRows(request.Template, _options.Rows), form, cancellationToken),
            progress,
            cancellationToken);
    }

    /// <inheritdoc/>
    /// <remarks>The commands with their arguments, the settings, the rows and the form. Not their environment, which may hold secrets.</remarks>
    public string Describe() =>
        $"ExternalPolicyTrainer: rows {_options.Rows}, form {_options.Form}, preferences {Describe(_options.PreferenceCommand)}, supervised {Describe(_options.SupervisedCommand)}, settings {_options.Settings.ToJsonString()}";

    private static string Describe(ExternalCommand? command) => command is null
        ? "none"
        : $"[{string.Join(' ', [command.FileName, .. command.Arguments])}]";

    private void CheckNames(ExternalCommand? command, string option)
    {
        if (command is null)
        {
            return;
        }

        HashSet<string> names = CommandTexts.NamesOf(command, _options.Settings);
        if (Array.Find(NeededNames, any => !any.Any(names.Contains)) is { } missing)
        {
            throw new ArgumentException(
                $"{option} names {{{string.Join("} or {", missing)}}} neither in its arguments nor in the settings, so the command would not be told of it.", nameof(option));
        }

        if (_options.Settings.Count > 0 && !names.Contains("settings"))
        {
            throw new ArgumentException($"There are settings, but {option} does not name {{settings}}, so the command would not read them.", nameof(option));
        }
    }

    private static void CheckRequest(TrainingRequest request, int rowCount)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(request.OutputPath, nameof(request));
        if (rowCount == 0)
        {
            throw new ArgumentException("There is nothing to learn: the request has no example or pair.", nameof(request));
        }

        if (Path.Exists(request.OutputPath))
        {
            throw new ArgumentException($"The output {request.OutputPath} exists already; name a folder that does not.", nameof(request));
        }
    }

    private void CheckCheckpoints(ExternalCommand command, PolicyCheckpoint policy, PolicyCheckpoint? reference)
    {
        HashSet<string> names = CommandTexts.NamesOf(command, _options.Settings);
        string? missing = policy.AdapterPath is not null && !names.Contains("adapter") ? "adapter"
            : reference is null || reference == policy ? null
            : !names.Contains("reference") ? "reference"
            : reference.AdapterPath is not null && !names.Contains("reference-adapter") ? "reference-adapter"
            : null;
        if (missing is not null)
        {
            throw new NotSupportedException(
                $"The request has {(missing == "adapter" ? "a policy with an adapter" : "a reference of its own")}, and the command {command.FileName} does not name {{{missing}}}, so it would train something else.");
        }
    }

    private async Task<TrainingResult> TrainAsync(
        ExternalCommand command,
        TrainingRequest request,
        PolicyCheckpoint? reference,
        Func<string, Task> writeRows,
        Action<TrainingProgress>? progress,
        CancellationToken cancellationToken)
    {
        string folder = Path.TrimEndingDirectorySeparator(Path.GetFullPath(request.StatePath ?? request.OutputPath + ".external"));
        ExternalTraining training = new(folder, command, _options, _loader);
        using FileStream held = training.Lock();
        if (request.StatePath is null)
        {
            // Without a state folder a training starts over.
            training.Clear();
        }

        JsonObject identity = new()
        {
            ["kind"] = reference is null ? "supervised" : "preferences",
            ["trainer"] = Describe(),
            ["policy"] = await _loader.GetFingerprintAsync(request.Policy, cancellationToken).ConfigureAwait(false),
            ["reference"] = reference is null ? null : await _loader.GetFingerprintAsync(reference, cancellationToken).ConfigureAwait(false),
            ["seed"] = request.Seed,
        };
        await training.PrepareAsync(identity, writeRows, cancellationToken).ConfigureAwait(false);
        await training.RunAsync(request, reference, progress, cancellationToken).ConfigureAwait(false);
        return training.Complete(request);
    }
}
