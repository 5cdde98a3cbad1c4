namespace Aries;

/// <summary>Writes a LoRA adapter as an <c>.onnx_adapter</c> file, which ONNX Runtime and ONNX Runtime GenAI put onto a model while it runs.</summary>
/// <remarks>The file holds B scaled by alpha ÷ rank, for a graph knows no alpha. One matrix at a time is in memory.</remarks>
/// <threadsafety>Every member may be called concurrently, for files of their own.</threadsafety>
public static class OnnxAdapterWriter
{
    /// <summary>Writes an adapter for a model.</summary>
    /// <param name="adapterFolder">The adapter in the layout of Hugging Face PEFT: <c>adapter_config.json</c> and <c>adapter_model.safetensors</c>.</param>
    /// <param name="modelFolder">
    /// The model that it was trained on, as a folder of ONNX Runtime GenAI whose graph takes adapters: <c>GenAIModelWriter</c> of <c>Aries.OnnxRuntime</c> writes one.
    /// The names, the shapes and the type of the file's matrices are those of the graph's inputs.
    /// </param>
    /// <param name="outputPath">The file to write. It is written aside and renamed when it is whole and flushed to disk; an earlier one of that name is replaced.</param>
    /// <exception cref="ArgumentException">A path is null or empty.</exception>
    /// <exception cref="ModelFormatException">A file is missing or malformed, the graph takes no adapter for what this one changes, or the adapter is of another model.</exception>
    /// <exception cref="NotSupportedException">The file would be larger than the format's 2 GB.</exception>
    /// <exception cref="OverflowException">A value is beyond the range of half precision, in which the graph computes.</exception>
    /// <exception cref="IOException">The file could not be written; nothing of it is left.</exception>
    public static void Write(string adapterFolder, string modelFolder, string outputPath)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(adapterFolder);
        ArgumentException.ThrowIfNullOrWhiteSpace(modelFolder);
        ArgumentException.ThrowIfNullOrWhiteSpace(outputPath);
        GenAIConfig config = GenAIConfig.Read(modelFolder);
        IReadOnlyList<AdapterSlot> slots = AdapterSlot.Find(GraphInputReader.Read(Path.Combine(modelFolder, config.GraphFile)), modelFolder);
        using GraphAdapter adapter = GraphAdapter.Open(adapterFolder, slots, modelFolder, config.LayerCount);
        AtomicOutput.WriteFile(outputPath, stream => OnnxAdapterFile.Write(stream, adapter.Matrices, adapter.Read()));
    }
}
