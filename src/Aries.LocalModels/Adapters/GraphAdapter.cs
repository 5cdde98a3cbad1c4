using System.Numerics.Tensors;

namespace Aries;

/// <summary>A PEFT adapter in the form that graphs of <c>GenAIModelWriter</c> take it: transposed, with alpha ÷ rank in B, in the graph's type.</summary>
/// <threadsafety>Not thread-safe.</threadsafety>
internal sealed class GraphAdapter : IDisposable
{
    private readonly PeftAdapterFile _file;
    private readonly int _layerCount;

    private GraphAdapter(PeftAdapterFile file, IReadOnlyList<AdapterSlot> slots, int layerCount)
    {
        (_file, _layerCount) = (file, layerCount);
        LoraOptions options = file.Options;
        Matrices =
        [
            .. slots.SelectMany(slot => (AdapterMatrix[])
            [
                new(slot.Module + AdapterSlot.Down, slot.Inputs, options.Rank, 1, slot.Type),
                new(slot.Module + AdapterSlot.Up, options.Rank, slot.Outputs, options.Alpha / options.Rank, slot.Type),
            ]),
        ];
    }

    /// <summary>Gets the matrices, in the order in which they are read.</summary>
    public IReadOnlyList<AdapterMatrix> Matrices { get; }

    /// <summary>Opens an adapter's folder for a graph.</summary>
    /// <param name="folder">The adapter.</param>
    /// <param name="slots">What adapters the graph takes.</param>
    /// <param name="modelFolder">The model's folder, for messages.</param>
    /// <param name="layerCount">The number of layers of the model, for messages.</param>
    /// <exception cref="ModelFormatException">The adapter is damaged or of another kind, or the graph takes none for a projection that it changes.</exception>
    public static GraphAdapter Open(string folder, IReadOnlyList<AdapterSlot> slots, string modelFolder, int layerCount)
    {
        PeftAdapterFile file = PeftAdapterFile.Open(folder);
        try
        {
            List<AdapterSlot> taken = [];
            foreach ((string module, LoraProjections projection) in PeftAdapterFile.Modules.Where(known => file.Options.Targets.HasFlag(known.Projection)))
            {
                AdapterSlot[] matching = [.. slots.Where(slot => slot.Module.EndsWith($".{module}", StringComparison.Ordinal))];
                taken.AddRange(matching.Length > 0
                    ? matching
                    : throw new ModelFormatException(
                        modelFolder,
                        $"the graph has no inputs for an adapter of {module}.",
                        "Write the folder again with GenAIModelOptions.AdapterTargets naming every projection that the adapter changes."));
            }

            return new GraphAdapter(file, taken, layerCount);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Reads the matrices one after the other, in the order of <see cref="Matrices"/>. What the graph has no place for is found at the end.</summary>
    /// <exception cref="ModelFormatException">One is missing or of another shape, or the adapter holds more than the graph has a place for.</exception>
    /// <exception cref="OverflowException">A value is beyond the range of half precision, in which the graph computes.</exception>
    public IEnumerable<(AdapterMatrix Matrix, byte[] Bytes)> Read()
    {
        foreach (AdapterMatrix matrix in Matrices)
        {
            // PEFT stores [out, in], and the graph multiplies from the right.
            float[] values = RowMajor.Transpose(_file.Read(matrix.Name, matrix.Columns, matrix.Rows), matrix.Columns, matrix.Rows);
            TensorPrimitives.Multiply(values, matrix.Scale, values);
            yield return (matrix, matrix.Type.Bytes(values, matrix.Name).ToArray());
        }

        _file.CheckAllRead(_layerCount);
    }

    public void Dispose() => _file.Dispose();
}
