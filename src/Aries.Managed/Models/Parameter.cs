namespace Aries.Managed;

/// <summary>One tensor of weights, under its Hugging Face name: plain values that can be trained, or a packed matrix that is only read.</summary>
/// <threadsafety>Values are shared and mutable: only a trainer writes them, and only to a model that it owns.</threadsafety>
internal sealed class Parameter
{
    private readonly float[]? _values;

    public Parameter(string name, int rows, int columns)
        : this(name, rows, columns, new float[checked(rows * columns)])
    {
    }

    public Parameter(string name, int rows, int columns, float[] values)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(values.Length, checked(rows * columns), nameof(values));
        (Name, Rows, Columns, _values) = (name, rows, columns, values);
    }

    public Parameter(string name, PackedMatrix packed)
    {
        (Name, Rows, Columns, Packed) = (name, packed.Rows, packed.Columns, packed);
    }

    public string Name { get; }

    /// <summary>Gets the number of outputs of a projection, of tokens of an embedding, or 1 for a vector (a norm or a bias).</summary>
    public int Rows { get; }

    public int Columns { get; }

    /// <summary>Gets the values. Shape [Rows, Columns], row-major, as Hugging Face stores them.</summary>
    /// <exception cref="InvalidOperationException">The tensor is packed.</exception>
    public float[] Values => _values ?? throw new InvalidOperationException($"'{Name}' is packed for inference. Load the model without packing to train it or to save it.");

    /// <summary>Gets the packed matrix that takes the place of <see cref="Values"/>, or null.</summary>
    public PackedMatrix? Packed { get; }

    /// <summary>Copies a row: a token's embedding.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such row, or <paramref name="target"/> has another length.</exception>
    public void CopyRow(int row, Span<float> target)
    {
        if (Packed is not null)
        {
            Packed.CopyRow(row, target);
            return;
        }

        Matrix.Of(this).Row(row).CopyTo(target);
    }

    /// <summary>Packs a matrix; a vector stays as it is.</summary>
    public Parameter Pack(WeightStorage storage) =>
        Packed is not null || Rows == 1 ? this : new Parameter(Name, PackedMatrix.Pack(Matrix.Of(this), storage, VectorWidth.Default));
}
