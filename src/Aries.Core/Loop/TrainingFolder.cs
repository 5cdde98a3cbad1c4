namespace Aries;

/// <summary>Where one training works: its output, its state while it is unfinished, and the file that commits it.</summary>
internal sealed class TrainingFolder(RoundFolder round, string outputPath, string statePath, string commitName)
{
    public string OutputPath => outputPath;

    public string StatePath => statePath;

    /// <summary>Returns the training if it was committed. If not, an output without its commit is removed, so that the training can be finished again from its state.</summary>
    public (PolicyCheckpoint Checkpoint, TrainingReport Report)? ReadOrPrepare()
    {
        StoredTraining? stored = round.Read(commitName, RunJsonContext.Default.StoredTraining);
        DeleteAside();
        if (stored is null)
        {
            round.Run.Files.DeleteDirectory(outputPath);
            return null;
        }

        round.Run.Files.DeleteDirectory(statePath);
        return (stored.Checkpoint.Resolve(round.Run), stored.Report);
    }

    public void Commit(PolicyCheckpoint checkpoint, TrainingReport report)
    {
        round.Commit(commitName, new StoredTraining(StoredCheckpoint.Of(checkpoint, round.Run), report), RunJsonContext.Default.StoredTraining);
        round.Run.Files.DeleteDirectory(statePath);
    }

    // A trainer that was killed may have left its output half-written under a name of its own beside it.
    private void DeleteAside()
    {
        // Not a search pattern: "checkpoint.*" finds "checkpoint" too.
        foreach (string folder in Directory.GetDirectories(Path.GetDirectoryName(outputPath)!).Where(folder => folder.StartsWith(outputPath + ".", StringComparison.Ordinal)))
        {
            round.Run.Files.DeleteDirectory(folder);
        }
    }
}
