namespace Aries;

/// <summary>A checkpoint as committed files name it.</summary>
internal sealed record StoredCheckpoint(string Model, string? Adapter)
{
    public const string BaseModel = "{base model}";
    public const string BaseAdapter = "{base adapter}";

    public static StoredCheckpoint Of(PolicyCheckpoint checkpoint, RunFolder folder) =>
        new(folder.ToStored(checkpoint.ModelPath)!, folder.ToStored(checkpoint.AdapterPath));

    public PolicyCheckpoint Resolve(RunFolder folder) => new(folder.FromStored(Model)!, folder.FromStored(Adapter));
}
