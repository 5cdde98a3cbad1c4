using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Aries;

/// <summary>The files of one round. <c>collection.json</c>, <c>training.json</c> and <c>round.json</c> commit its parts: what they tell of is whole.</summary>
internal sealed class RoundFolder(RunFolder run, string path, int round)
{
    public int Round => round;

    public string TracesPath => In("traces.jsonl");

    public string PairsPath => In("pairs.jsonl");

    public string EvaluationPath => In("evaluation.jsonl");

    public string GreedyEvaluationPath => In("evaluation-greedy.jsonl");

    public StoredCollection? ReadCollection() => Read("collection.json", RunJsonContext.Default.StoredCollection);

    public void CommitCollection(StoredCollection collection) => Commit("collection.json", collection, RunJsonContext.Default.StoredCollection);

    public StoredRound? ReadRound() => Read("round.json", RunJsonContext.Default.StoredRound);

    public void CommitRound(StoredRound report) => Commit("round.json", report, RunJsonContext.Default.StoredRound);

    public TrainingFolder Training => new(this, In("checkpoint"), In("training-state"), "training.json");

    public TrainingFolder WarmUp => new(this, In("warm-up-checkpoint"), In("warm-up-state"), "warm-up.json");

    public RunFolder Run => run;

    public T? Read<T>(string name, JsonTypeInfo<T> type)
        where T : class
    {
        string file = In(name);
        if (!File.Exists(file))
        {
            return null;
        }

        try
        {
            return JsonSerializer.Deserialize(run.Files.Read(file), type) ?? throw new JsonException("It holds null.");
        }
        catch (JsonException exception)
        {
            throw new RunFolderException(file, $"\"{file}\" is damaged: {exception.Message} Restore it, or delete the folder of its round and of those after it to do them again.", exception);
        }
    }

    public void Commit<T>(string name, T value, JsonTypeInfo<T> type)
    {
        byte[] json = JsonSerializer.SerializeToUtf8Bytes(value, type);
        run.Files.Replace(In(name), (byte[])[.. json, (byte)'\n']);
    }

    private string In(string name) => Path.Combine(path, name);
}
