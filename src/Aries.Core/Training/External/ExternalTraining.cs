using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Aries;

/// <summary>One training by a command, in its state folder: what it is told, its log, what it saved, and its checkpoint until that is handed over.</summary>
/// <remarks>
/// <code>
/// request.json   what is asked, by fingerprints: written last, so a folder without it is rubbish
/// data/train.jsonl, settings.json, log.txt, work/
/// checkpoint/    what the command writes
/// finished       the checkpoint's fingerprint: from here on the command is not started again
/// process        names the command while it runs
/// </code>
/// <para>Beside the folder, since that is removed and made anew, lies <c>.lock</c> with the folder's name before it, while a training works in it.</para>
/// </remarks>
internal sealed class ExternalTraining(string folder, ExternalCommand command, ExternalTrainerOptions options, IPolicyModelLoader loader)
{
    private const int LastLineCount = 20;

    // Read by people: paths and texts in other scripts stay as they are.
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, NewLine = "\n" };
    private readonly DurableFiles _files = new();

    private string RequestPath => Path.Combine(folder, "request.json");

    private string DataFolder => Path.Combine(folder, "data");

    private string DataPath => Path.Combine(DataFolder, "train.jsonl");

    private string SettingsPath => Path.Combine(folder, "settings.json");

    private string LogPath => Path.Combine(folder, "log.txt");

    private string WorkPath => Path.Combine(folder, "work");

    private string CheckpointPath => Path.Combine(folder, "checkpoint");

    private string FinishedPath => Path.Combine(folder, "finished");

    private string ProcessPath => Path.Combine(folder, "process");

    /// <summary>Takes the folder for this training alone, until the lock is disposed or the process ends, however it ends.</summary>
    /// <exception cref="ExternalTrainingException">Another training works in it.</exception>
    public FileStream Lock()
    {
        string path = folder + ".lock";
        _files.CreateDirectory(Path.GetDirectoryName(path)!);
        try
        {
            return _files.Lock(path, FileOptions.DeleteOnClose);
        }
        catch (RunFolderException exception) when (exception.InnerException is IOException && File.Exists(path))
        {
            string who = LeftoverProcess.ReadId(ProcessPath) is var (id, _) ? string.Create(CultureInfo.InvariantCulture, $" Its command runs as process {id}.") : "";
            throw new ExternalTrainingException(
                $"Another training works in the state folder {folder}: {path} is locked.{who}", "Wait for it to end, or give this one a state folder of its own.", innerException: exception);
        }
    }

    /// <summary>Removes what an earlier call left.</summary>
    public void Clear()
    {
        LeftoverProcess.Kill(ProcessPath);
        _files.DeleteDirectory(folder);
    }

    /// <summary>Writes what the command is told, or finds it written by an earlier call with the same request.</summary>
    /// <exception cref="ExternalTrainingException">The folder holds another request.</exception>
    public async Task PrepareAsync(JsonObject identity, Func<string, Task> writeRows, CancellationToken cancellationToken)
    {
        LeftoverProcess.Kill(ProcessPath);
        bool isNew = !File.Exists(RequestPath);
        if (isNew)
        {
            _files.DeleteDirectory(folder);
        }

        Directory.CreateDirectory(DataFolder);
        Directory.CreateDirectory(WorkPath);
        string rows = isNew ? DataPath : DataPath + DurableFiles.PartialEnding;
        await writeRows(rows).ConfigureAwait(false);
        FileStream stream = File.OpenRead(rows);
        await using (stream.ConfigureAwait(false))
        {
            identity["rows"] = Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, cancellationToken).ConfigureAwait(false));
        }

        byte[] request = Encoding.UTF8.GetBytes(identity.ToJsonString(Indented));
        if (isNew)
        {
            _files.Replace(RequestPath, request);
            return;
        }

        File.Delete(rows);
        if (!_files.Read(RequestPath).AsSpan().SequenceEqual(request))
        {
            throw new ExternalTrainingException(
                $"The state folder {folder} holds the unfinished training of another request: {RequestPath} differs.", "Ask for the same training, or remove the folder to start over.");
        }
    }

    /// <summary>Runs the command unless it has ended well before, and checks what it made.</summary>
    public async Task RunAsync(TrainingRequest request, PolicyCheckpoint? reference, Action<TrainingProgress>? progress, CancellationToken cancellationToken)
    {
        if (await IsFinishedAsync(request.Policy, cancellationToken).ConfigureAwait(false))
        {
            return;
        }

        _files.DeleteFile(FinishedPath);
        _files.DeleteDirectory(CheckpointPath);
        CommandTexts texts = CreateTexts(request, reference);
        _files.Replace(SettingsPath, Encoding.UTF8.GetBytes(texts.Fill((JsonNode)options.Settings)!.ToJsonString(Indented)));
        Queue<string> last = new();
        int exitCode = await RunCommandAsync(texts, progress, last, cancellationToken).ConfigureAwait(false);
        if (exitCode != 0)
        {
            throw new ExternalTrainingException(
                $"The command {command.FileName} ended with the exit code {exitCode}.", "Mend what its log names, and train again: it goes on from what it saved.", exitCode, [.. last], LogPath);
        }

        string fingerprint = await TrainedFolder.VerifyAsync(CheckpointPath, request.Policy, loader, cancellationToken).ConfigureAwait(false);
        _files.Replace(FinishedPath, Encoding.UTF8.GetBytes(fingerprint));
    }

    /// <summary>Hands the checkpoint over and removes the folder.</summary>
    public TrainingResult Complete(TrainingRequest request)
    {
        TrainingLog log = new();
        foreach (string line in File.Exists(LogPath) ? File.ReadLines(LogPath) : [])
        {
            log.Read(line);
        }

        _files.Guard("move the checkpoint to", request.OutputPath, () => Move(CheckpointPath, request.OutputPath));

        // First of all: what is left by a kill from here on is rubbish, not an unfinished training.
        _files.DeleteFile(RequestPath);
        _files.DeleteDirectory(folder);
        return new TrainingResult(TrainedFolder.Open(request.OutputPath, request.Policy), log.Step, log.Metrics, DroppedRowCount: 0);
    }

    private async Task<bool> IsFinishedAsync(PolicyCheckpoint policy, CancellationToken cancellationToken)
    {
        if (!File.Exists(FinishedPath) || !Directory.Exists(CheckpointPath))
        {
            return false;
        }

        string fingerprint = await TrainedFolder.VerifyAsync(CheckpointPath, policy, loader, cancellationToken).ConfigureAwait(false);
        return fingerprint == Encoding.UTF8.GetString(_files.Read(FinishedPath));
    }

    private CommandTexts CreateTexts(TrainingRequest request, PolicyCheckpoint? reference) => new(
        new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["settings"] = SettingsPath,
            ["data"] = DataPath,
            ["data-folder"] = DataFolder,
            ["model"] = Path.GetFullPath(request.Policy.ModelPath),
            ["adapter"] = FullPathOrEmpty(request.Policy.AdapterPath),
            ["reference"] = FullPathOrEmpty(reference?.ModelPath),
            ["reference-adapter"] = FullPathOrEmpty(reference?.AdapterPath),
            ["output"] = CheckpointPath,
            ["work"] = WorkPath,
            [CommandTexts.SeedName] = request.Seed.ToString(CultureInfo.InvariantCulture),
        },
        request.Seed);

    private async Task<int> RunCommandAsync(CommandTexts texts, Action<TrainingProgress>? progress, Queue<string> last, CancellationToken cancellationToken)
    {
        bool goesOn = Directory.EnumerateFileSystemEntries(WorkPath, command.ResumePattern).Any();
        ProcessStartInfo start = new(command.FileName, [.. command.Arguments.Select(texts.Fill), .. goesOn ? command.ResumeArguments.Select(texts.Fill) : []])
        {
            WorkingDirectory = command.WorkingDirectory ?? "",
        };
        foreach ((string name, string value) in command.Environment)
        {
            start.Environment[name] = value;
        }

        TrainingLog log = new();
        using StreamWriter file = new(LogPath, append: true) { AutoFlush = true };
        return await CommandProcess.RunAsync(start, ProcessPath, OnLine, cancellationToken).ConfigureAwait(false);

        void OnLine(string line)
        {
            file.WriteLine(line);
            last.Enqueue(line);
            if (last.Count > LastLineCount)
            {
                last.Dequeue();
            }

            options.LogLine?.Invoke(line);
            if (log.Read(line) is { } step)
            {
                progress?.Invoke(step);
            }
        }
    }

    private static string FullPathOrEmpty(string? path) => path is null ? "" : Path.GetFullPath(path);

    private static void Move(string source, string target)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(target))!);
        try
        {
            Directory.Move(source, target);
        }
        catch (IOException) when (!Path.Exists(target))
        {
            // The two lie on different volumes: copied aside, so that the output appears whole.
            string aside = target + DurableFiles.PartialEnding;
            foreach (string path in Directory.EnumerateFiles(source, "*", SearchOption.AllDirectories))
            {
                string copy = Path.Combine(aside, Path.GetRelativePath(source, path));
                Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
                File.Copy(path, copy, overwrite: true);
            }

            Directory.Move(aside, target);
        }
    }
}
